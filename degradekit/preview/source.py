"""A few source pictures, cut as a build would cut them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from degradekit.build import image_windows
from degradekit.errors import SourceError
from degradekit.recipe import Recipe
from degradekit.source import cut, list_clips, list_faces, list_images, read_clip, read_image, take_face
from degradekit.source.listing import ImageRef, Listing
from degradekit.types import Array

__all__ = ["Example", "examples"]

SAMPLE = "sample"
FIRST = ("astronaut.png", "motorcycle_left.png", "coffee.png")
"""Sample photographs that are shown first: skin and fabric, metal and text, wood."""
PAN = (1, 3)
"""Rows and columns by which the window moves in each frame, where a photograph has to stand for a clip."""


@dataclass(frozen=True, slots=True)
class Example:
    """One HR crop.

    Args:
        key: Its sample key: a build of the same source with the same seed draws the same plan for it.
        hr: uint8 or uint16 ``[T, H, W, 3]``.
    """

    key: str
    hr: Array


def examples(recipe: Recipe, source: str, count: int) -> list[Example]:
    """Read source pictures spread over the listing, one crop of each; those that cannot be used are passed over.

    For a recipe of clips and the bundled photographs, a slow pan over each stands for a clip; for one of faces, the
    photographs stand for faces.

    Args:
        recipe: Its ``extract`` and seed choose the crops.
        source: See :func:`degradekit.source.list_images`.
        count: At most how many.

    Raises:
        SourceError: None can be used; the message is the last one's.
    """
    found: list[Example] = []
    problem: Exception | None = None
    for ref in _order(_listed(recipe, source).images, count, first=FIRST if source == SAMPLE else ()):
        try:
            found += _crops(recipe, ref)[:1]
        except SourceError as error:
            problem = error
        if len(found) == count:
            break
    if not found:
        raise SourceError(f"source {source} has no picture for this recipe: {problem or 'all are smaller than asked'}")
    return found


def _listed(recipe: Recipe, source: str) -> Listing:
    extract = recipe.extract
    if source != SAMPLE and extract.clip is not None:
        return list_clips(source, extract.clip)
    if source != SAMPLE and extract.faces is not None:
        return list_faces(source, extract.faces)
    return list_images(source)


def _order(refs: tuple[ImageRef, ...], count: int, *, first: tuple[str, ...]) -> list[ImageRef]:
    """Preferred ones, then some that are evenly spread, then the others."""
    names = {ref.key: ref for ref in refs}
    spread = [refs[i * len(refs) // count] for i in range(min(count, len(refs)))]
    chosen = [names[name] for name in first if name in names] + spread + list(refs)
    return list({ref.key: ref for ref in chosen}.values())


def _crops(recipe: Recipe, ref: ImageRef) -> list[Example]:
    extract = recipe.extract
    if ref.frames is not None:
        clip = read_clip(ref.uri, ref.frames, extract)
    else:
        image = read_image(ref.uri, extract)
        if ref.face is not None and extract.faces is not None:
            image = take_face(image, ref.face, extract.faces)[0]
        clip = _pan(image, extract.frames)
    windows = image_windows(recipe, ref.key, (clip.shape[1], clip.shape[2]))
    return [
        Example(f"{ref.key}#{name}", np.stack([cut(frame, window) for frame in clip]))
        for name, window in windows.items()
    ]


def _pan(image: Array, frames: int) -> Array:
    """A clip of a window that moves over a photograph; of one frame, the photograph."""
    h, w = (side - (frames - 1) * step for side, step in zip(image.shape[:2], PAN, strict=True))
    if min(h, w) < 1:
        raise SourceError(f"an image of {image.shape[0]}x{image.shape[1]} px is too small to pan over {frames} frames")
    starts = ((t * PAN[0], t * PAN[1]) for t in range(frames))
    return np.stack([image[y : y + h, x : x + w] for y, x in starts])
