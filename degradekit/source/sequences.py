"""Clips of a source: videos and folders of frames are listed, and the frames of a clip are read."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path, PurePosixPath

import numpy as np

from degradekit.errors import SourceError
from degradekit.source.clip import Clip, Frames, SkippedClip
from degradekit.source.extract import Extract
from degradekit.source.files import is_remote
from degradekit.source.folders import IMAGE_SUFFIXES, VIDEO_SUFFIXES, has_suffix
from degradekit.source.header import read_header
from degradekit.source.image import read_image
from degradekit.source.listing import ImageRef, Listing, list_images
from degradekit.source.video import read_frames, read_timeline
from degradekit.types import Array

__all__ = ["clip_size", "list_clips", "read_clip"]


def list_clips(source: str | Path, clip: Clip) -> Listing:
    """List the clips of a source.

    Every video (``.mp4``, ``.mkv``, ...) is a sequence, and so are the images that lie in one folder: REDS keeps frames
    as ``000/00000000.png``, Vimeo-90K as ``00001/0001/im1.png``. Frames are ordered by the numbers in their names;
    where a number is missing a new sequence begins, so that no clip jumps over it. A video is read once to find the
    times of its frames, which are not decoded.

    Args:
        source: See :func:`degradekit.source.list_images`.
        clip: The request.

    Returns:
        A reference for each clip, sorted by key: ``<path of the sequence>@<its first frame>``. A sequence that gives no
        clip has one too, which says why.

    Raises:
        SourceError: There is nothing there, or two clips have one name.
    """
    listing = list_images(source, suffixes=IMAGE_SUFFIXES + VIDEO_SUFFIXES)
    folders: dict[str, list[ImageRef]] = defaultdict(list)
    clips: list[ImageRef] = []
    for image in listing.images:
        if has_suffix(image.key, VIDEO_SUFFIXES):
            clips += _of_video(image, clip)
        else:
            folders[image.uri[: -len(PurePosixPath(image.key).name) - 1]].append(image)
    for folder, images in folders.items():
        clips += _of_folder(folder, images, clip)
    clips.sort(key=lambda ref: ref.key)
    for ref, following in pairwise(clips):
        if ref.key == following.key:
            raise SourceError(f"source {source}: two clips are called {ref.key}; keep one image for each frame")
    return Listing(listing.source, tuple(clips), listing.ignored)


def _of_video(video: ImageRef, clip: Clip) -> Iterator[ImageRef]:
    try:
        timeline = read_timeline(video.uri)
    except SourceError as error:
        yield _without(video.key, video.uri, "0", str(error).replace(video.uri, video.key))
        return
    uneven = timeline.unevenness() if clip.uneven == "refuse" else ""
    if uneven:
        remedy = "convert it to a constant frame rate, or set extract.clip.uneven to allow"
        yield _without(video.key, video.uri, "0", f"{video.key} has a variable frame rate: {uneven}; {remedy}")
        return
    starts = clip.starts(len(timeline.times))
    if not starts:
        yield _too_short(video.key, video.uri, "0", len(timeline.times), clip)
    for start in starts:
        times = timeline.times[start : start + clip.span : clip.interval]
        yield ImageRef(f"{video.key}@{start}", video.uri, Frames(str(start), times=times))


def _of_folder(folder: str, images: Sequence[ImageRef], clip: Clip) -> Iterator[ImageRef]:
    key = str(PurePosixPath(images[0].key).parent)
    if key == ".":  # the source itself is the sequence
        key = folder.rpartition("/")[2] if is_remote(folder) else Path(folder).resolve().name
    for run in _runs(sorted(images, key=lambda image: _natural(image.key))):
        starts = clip.starts(len(run))
        if not starts:
            yield _too_short(key, folder, _stem(run[0]), len(run), clip)
        for start in starts:
            frames = run[start : start + clip.span : clip.interval]
            first = _stem(frames[0])
            yield ImageRef(f"{key}@{first}", folder, Frames(first, files=tuple(frame.uri for frame in frames)))


def _runs(images: Sequence[ImageRef]) -> Iterator[list[ImageRef]]:
    """Parts between missing numbers; frames whose names have none are taken to be complete."""
    numbers = [_number(image) for image in images]
    step = min((b - a for a, b in pairwise(numbers)), default=1)
    begin = 0
    for i in range(1, len(images)):
        if numbers[i] - numbers[i - 1] > max(step, 1):
            yield list(images[begin:i])
            begin = i
    yield list(images[begin:])


def _number(image: ImageRef) -> int:
    digits = re.search(r"(\d+)\D*$", _stem(image))
    return int(digits[1]) if digits else 0


def _natural(key: str) -> list[tuple[int, str]]:
    """Sorts ``im2`` before ``im10``: numbers by value, text by letters."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", key)]


def _stem(image: ImageRef) -> str:
    return PurePosixPath(image.key).stem


def _too_short(key: str, uri: str, first: str, count: int, clip: Clip) -> ImageRef:
    problem = (
        f"{key} has {count} frames from {first} on, a clip needs {clip.span}; "
        "choose a smaller extract.clip.length or interval, or set extract.clip.short to skip"
    )
    return _without(key, uri, first, problem, skipped=clip.short == "skip")


def _without(key: str, uri: str, first: str, problem: str, *, skipped: bool = False) -> ImageRef:
    return ImageRef(f"{key}@{first}", uri, Frames(first, problem=problem, skipped=skipped))


def clip_size(clip: ImageRef, extract: Extract) -> tuple[int, int]:
    """(height, width) of a clip's frames in px, from its first one.

    Raises:
        SourceError: It cannot be read.
    """
    frames = clip.frames
    if frames is None or frames.problem:
        raise SourceError(frames.problem if frames else f"{clip.key} is an image")
    if frames.files:
        header = read_header(frames.files[0], max_pixels=extract.max_pixels)
        return header.h, header.w
    h, w = read_frames(clip.uri, frames.times[:1], max_pixels=extract.max_pixels).shape[1:3]
    return h, w


def read_clip(uri: str, frames: Frames, extract: Extract) -> Array:
    """Decode the frames of a clip.

    Args:
        uri: The video, or the folder of the files.
        frames: Which, from :func:`list_clips`.
        extract: Its ``alpha``, ``icc`` and ``max_pixels`` apply to files, and what its ``clip`` says of cuts.

    Returns:
        ``[T, H, W, 3]`` of one size, uint16 where files have 16 bits a channel, else uint8.

    Raises:
        SkippedClip: The request asks to leave it out: a scene cut, or a sequence too short.
        SourceError: A frame cannot be read, the frames differ in size or depth, or there is no such clip.
    """
    if frames.problem:
        raise (SkippedClip if frames.skipped else SourceError)(frames.problem)
    if frames.files:
        pictures = [read_image(file, extract) for file in frames.files]
        for file, picture in zip(frames.files, pictures, strict=True):
            if picture.shape != pictures[0].shape or picture.dtype != pictures[0].dtype:
                kind, first = (f"{p.shape[0]}x{p.shape[1]} px {p.dtype}" for p in (picture, pictures[0]))
                raise SourceError(f"{file} is {kind}, the first frame of its clip {first}; keep other images elsewhere")
        clip = np.stack(pictures)
    else:
        clip = read_frames(uri, frames.times, max_pixels=extract.max_pixels)
    if extract.clip and extract.clip.at_cut == "skip" and (cuts := extract.clip.cuts(clip)):
        raise SkippedClip(f"a scene ends within the clip, before its frame {cuts[0]}")
    return clip
