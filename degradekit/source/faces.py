"""Faces of a source: listed with their landmarks, and aligned where the recipe asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from degradekit.errors import SourceError
from degradekit.source.align import align_face
from degradekit.source.landmarks import Face, Faces, Landmarks, Points, read_landmarks
from degradekit.source.listing import ImageRef, Listing, list_images
from degradekit.types import Array

__all__ = ["SkippedFace", "list_faces", "take_face"]


class SkippedFace(SourceError):
    """An image that the request asks to leave out, because no landmarks are known: not a failure."""


def list_faces(source: str | Path, faces: Faces) -> Listing:
    """List the faces of a source.

    Args:
        source: See :func:`degradekit.source.list_images`.
        faces: The request.

    Returns:
        A reference for each face, with the key ``<path of the image>@<number of the face>``. An image without landmarks
        has one too, which says so.

    Raises:
        SourceError: There are no images, or no landmarks.
    """
    listing = list_images(source)
    landmarks = read_landmarks(source, faces.landmarks)
    refs = tuple(ref for image in listing.images for ref in _of_image(image, landmarks, faces))
    if not any(ref.face and ref.face.points for ref in refs):
        raise SourceError(
            f"{faces.landmarks} names none of the {len(refs)} images of {source}, {listing.images[0].key} for one; "
            "name them by their path, name, or name without suffix"
        )
    return Listing(listing.source, refs, listing.ignored)


def _of_image(image: ImageRef, landmarks: Landmarks, faces: Faces) -> Iterator[ImageRef]:
    found = landmarks.of(image.key)
    for i, points in enumerate(found):
        yield ImageRef(f"{image.key}@{i}", image.uri, face=Face(points))
    if not found:
        problem = f"{faces.landmarks} has no landmarks of {image.key}; add them, or set extract.faces.missing to skip"
        yield ImageRef(f"{image.key}@0", image.uri, face=Face((), problem, faces.missing == "skip"))


def take_face(picture: Array, face: Face, faces: Faces) -> tuple[Array, Points]:
    """The picture of one face.

    Args:
        picture: uint8 or uint16 ``[H, W, 3]``, upright.
        face: From :func:`list_faces`.
        faces: The request.

    Returns:
        The aligned face, or the picture as it is; and the landmarks in it.

    Raises:
        SkippedFace: The request asks to leave it out.
        SourceError: No landmarks are known, or they make no square.
    """
    if face.problem:
        raise (SkippedFace if face.skipped else SourceError)(face.problem)
    return align_face(picture, face.points, faces.size) if faces.align == "ffhq" else (picture, face.points)
