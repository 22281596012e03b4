"""Which images a source has: a folder, a glob, a list file, a single file, a remote folder or the bundled photographs.

A listing is sorted by key, the path relative to the source's root. Keys name every draw, so they hold nothing that
depends on the machine or on what else lies in the folder.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from degradekit.errors import ShardError, SourceError
from degradekit.source.clip import Frames
from degradekit.source.files import is_remote, remote_store
from degradekit.source.folders import IMAGE_SUFFIXES, Walk, has_suffix, matches, unwanted
from degradekit.source.landmarks import Face
from degradekit.source.sample_photos import sample_photos

__all__ = ["ImageRef", "Listing", "list_images"]

LIST_SUFFIXES = (".txt", ".lst", ".list")


class ImageRef(NamedTuple):
    """One source image, or one clip.

    Args:
        key: Path relative to the source's root, forward slashes, extension kept; unique in its listing. That of a clip
            ends with ``@`` and its first frame.
        uri: Where the bytes are, as :func:`degradekit.source.read_image` takes it; a clip's video or folder.
        frames: Which frames are the clip; None for an image.
        face: Which face of the image it is; None where the recipe asks for no faces. Its key ends with ``@`` and the
            number of the face.
    """

    key: str
    uri: str
    frames: Frames | None = None
    face: Face | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """The images of a source, sorted by key.

    Args:
        source: What was listed.
        images: The images, at least one.
        ignored: Reason -> how many names were passed over (hidden files, other suffixes, broken links, ...).
    """

    source: str
    images: tuple[ImageRef, ...]
    ignored: Mapping[str, int]


def list_images(source: str | Path, *, recursive: bool = True, suffixes: tuple[str, ...] = IMAGE_SUFFIXES) -> Listing:
    """List the images of a source without opening them.

    Args:
        source: One of

            - a folder; hidden names and names without an image suffix are ignored and counted;
            - a glob such as ``photos/**/*.png``: ``**`` stands for any number of folders, ``*``, ``?`` and ``[...]``
              stay within one name; keys are relative to the part before the first of them;
            - a list file (.txt, .lst, .list) with one path or URI a line, relative to the list file; keys are the
              lines without leading ``/`` and ``..``;
            - one image file;
            - the URI of a folder or object of a store, such as ``s3://bucket/photos``;
            - ``sample``: photographs that scikit-image carries. A folder of that name is written ``./sample``.
        recursive: Enter subfolders of a folder or URI.
        suffixes: Of the files that are asked for, in lower case.

    Raises:
        SourceError: There is nothing there, a folder cannot be listed, a name is no valid text, or a key repeats.

    Example:
        >>> [image.key for image in list_images("sample").images][:3]
        ['astronaut.png', 'brick.png', 'camera.png']
    """
    text = os.fspath(source)
    ignored: Counter[str] = Counter()
    if source == "sample":
        found: Iterable[ImageRef] = (ImageRef(path.name, str(path)) for path in sample_photos())
    elif is_remote(text):
        found = _remote(text, recursive, suffixes, ignored)
    else:
        found = _local(text.removeprefix("file://"), recursive, suffixes, ignored)
    images = sorted(found)
    _check(text, images, suffixes, ignored)
    return Listing(text, tuple(images), dict(ignored))


def _check(source: str, images: list[ImageRef], suffixes: tuple[str, ...], ignored: Counter[str]) -> None:
    if not images:
        passed = ", ".join(f"{count} {reason}" for reason, count in sorted(ignored.items())) or "nothing at all"
        raise SourceError(
            f"source {source} has no images (found: {passed}); images end in {', '.join(suffixes)}: check the path"
        )
    for image, following in pairwise(images):
        if image.key == following.key:
            raise SourceError(
                f"source {source}: the key {image.key} stands for both {image.uri} and {following.uri}; "
                "list it once, or rename one of them"
            )
    for image in images:
        # Bytes of a name that are no UTF-8 arrive as lone surrogates, which neither JSON nor a dataset can hold.
        if not image.key.isascii() and any("\ud800" <= letter <= "\udfff" for letter in image.key):
            raise SourceError(f"source {source}: the name {image.key!a} is not UTF-8; rename the file")


def _local(path: str, recursive: bool, suffixes: tuple[str, ...], ignored: Counter[str]) -> Iterable[ImageRef]:
    if Path(path).is_dir():
        return _walked(Walk(path, None if recursive else 0, ignored=ignored, suffixes=suffixes))
    if Path(path).is_file():
        if has_suffix(path, suffixes):
            return [ImageRef(Path(path).name, path)]
        if path.lower().endswith(LIST_SUFFIXES):
            return _listed(Path(path))
        raise SourceError(
            f"source {path} is neither a folder nor an image ({', '.join(suffixes)}) "
            f"nor a list of paths ({', '.join(LIST_SUFFIXES)})"
        )
    if any(letter in path for letter in "*?["):
        return _globbed(path, suffixes, ignored)
    raise SourceError(f"source {path} does not exist; give a folder, glob, list file, image, URI, or 'sample'")


def _walked(walk: Walk) -> Iterable[ImageRef]:
    root = walk.root.rstrip("/")
    return (ImageRef(relative, f"{root}/{relative}") for relative in walk)


def _globbed(path: str, suffixes: tuple[str, ...], ignored: Counter[str]) -> Iterable[ImageRef]:
    parts = Path(path).parts
    first = next(i for i, part in enumerate(parts) if any(letter in part for letter in "*?["))
    root, pattern = str(Path(*parts[:first])), list(parts[first:])
    if not Path(root).is_dir():
        raise SourceError(
            f"source {path}: the folder {root} does not exist; correct the part before the first wildcard"
        )
    depth = None if "**" in pattern else len(pattern) - 1
    return _walked(Walk(root, depth, lambda relative: matches(relative.split("/"), pattern), ignored, suffixes))


def _listed(path: Path) -> Iterable[ImageRef]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"list file {path} cannot be read ({error}); it must be UTF-8 text") from error
    for number, line in enumerate(lines, start=1):
        name = line.strip()
        if not name:
            continue
        if is_remote(name):
            yield ImageRef(_safe_key(name.partition("://")[2].partition("?")[0]), name)
            continue
        target = path.parent / name
        if not target.is_file():
            what = "is a folder" if target.is_dir() else "does not exist"
            raise SourceError(f"list file {path}, line {number}: {target} {what}; correct or delete the line")
        yield ImageRef(_safe_key(name), str(target))


def _safe_key(name: str) -> str:
    """A key never leads out of the folder that an export writes it to."""
    return "/".join(part for part in PurePosixPath(name).parts if part not in ("/", "..", "."))


def _remote(uri: str, recursive: bool, suffixes: tuple[str, ...], ignored: Counter[str]) -> Iterable[ImageRef]:
    from pyarrow import fs  # takes 0.1 s: only remote sources pay

    try:
        store = remote_store(uri)
        root = store.open("").name
        info = store.filesystem().get_file_info(root)
        if info.type == fs.FileType.File:
            return [ImageRef(PurePosixPath(root).name, uri)]
        selector = fs.FileSelector(root, recursive=recursive, allow_not_found=True)
        found = store.filesystem().get_file_info(selector)
    except (ShardError, OSError) as error:
        raise SourceError(f"source {uri} cannot be listed ({error}); check the URI and the credentials") from error
    images = []
    for entry in found:
        key = entry.path.removeprefix(root).lstrip("/")
        if entry.type != fs.FileType.File:
            continue
        if any(part.startswith(".") for part in key.split("/")):
            ignored["hidden"] += 1
        elif reason := unwanted(key, suffixes):
            ignored[reason] += 1
        else:
            images.append(ImageRef(key, f"{uri}#{key}"))
    return images
