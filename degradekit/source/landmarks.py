"""Landmarks of faces: reading them from a file beside the images, and what happens to them when a picture is mirrored.

Five points are the left eye, the right eye, the tip of the nose and the left and right corners of the mouth; 68 are
those of iBUG 300-W. Left is what is left in the picture. A point (x, y) is in px of the upright picture, x to the right
and y down, and the middle of the top left pixel is (0, 0).
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, StrictInt

from degradekit.errors import SourceError
from degradekit.source.files import is_remote, open_source

__all__ = ["Face", "Faces", "Landmarks", "Points", "mirrored", "parse_landmarks", "read_landmarks"]

Points: TypeAlias = tuple[tuple[float, float], ...]
"""(x, y) of five or 68 landmarks of one face."""

COUNTS = (5, 68)
_PAIRS_5 = ((0, 1), (3, 4))
_PAIRS_68 = (
    *((i, 16 - i) for i in range(8)),  # jaw
    *((17 + i, 26 - i) for i in range(5)),  # brows
    *((31 + i, 35 - i) for i in range(2)),  # nostrils
    (36, 45),
    (37, 44),
    (38, 43),
    (39, 42),
    (40, 47),
    (41, 46),  # eyes
    *((48 + i, 54 - i) for i in range(3)),
    (55, 59),
    (56, 58),  # lips, outside
    (60, 64),
    (61, 63),
    (65, 67),  # lips, inside
)


class Face(NamedTuple):
    """One face of an image.

    Args:
        points: Its landmarks in the upright image; empty where there is a problem.
        problem: Why there is no face.
        skipped: Whether the request asks to leave such an image out.
    """

    points: Points
    problem: str = ""
    skipped: bool = False


class Faces(BaseModel):
    """Which faces are taken from the images, and how.

    Args:
        landmarks: File with the landmarks, relative to the source's folder: see :func:`parse_landmarks`.
        align: ``ffhq`` turns, scales and cuts every face as FFHQ does; ``none`` leaves the images as they are, and the
            landmarks travel with the crops.
        size: Side of an aligned face in px, a multiple of the recipe's scale; larger shows more detail.
        missing: What happens to an image without landmarks: ``refuse`` it or ``skip`` it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    landmarks: str
    align: Literal["ffhq", "none"] = "ffhq"
    size: Annotated[StrictInt, Field(ge=8, le=4096)] = 512
    missing: Literal["refuse", "skip"] = "refuse"


class Landmarks:
    """The faces of every image that a file names.

    Args:
        faces: (name of an image, landmarks of a face), in the order of the file.
    """

    def __init__(self, faces: Iterable[tuple[str, Points]]) -> None:
        self._by_name: dict[str, list[Points]] = defaultdict(list)
        for name, points in faces:
            self._by_name[name].append(points)

    def of(self, key: str) -> tuple[Points, ...]:
        """Faces of an image: under its path relative to the source, else its name, else its name without suffix."""
        path = PurePosixPath(key)
        for name in (key, path.name, path.stem):
            if name in self._by_name:
                return tuple(self._by_name[name])
        return ()


def read_landmarks(source: str | Path, name: str) -> Landmarks:
    """Read the landmarks file of a source.

    Args:
        source: See :func:`degradekit.source.list_images`.
        name: Path of the file, relative to the source's folder.

    Raises:
        SourceError: The file cannot be read or holds no landmarks.
    """
    uri = _beside(str(source), name)
    with open_source(uri) as file:
        data = file.read()
    try:
        return Landmarks(parse_landmarks(data.decode("utf-8-sig"), uri))
    except UnicodeDecodeError as error:
        raise SourceError(f"{uri} is no UTF-8 text; landmarks are JSON, CSV or lines of numbers") from error


def parse_landmarks(text: str, where: str) -> Iterator[tuple[str, Points]]:
    """Read landmarks from text.

    Args:
        text: JSON that maps the name of an image to the points of its face, ``[[x, y], ...]`` or ``[x, y, ...]``, or to
            a list of faces; FFHQ's ``ffhq-dataset-v2.json``; or lines of a name and 10 or 136 numbers, parted by commas
            or by spaces, after up to two lines of headings, as CelebA's ``list_landmarks_celeba.txt`` has.
        where: What to call it in errors.

    Yields:
        The name of the image, and the points of one face.

    Raises:
        SourceError: It is none of these, or a face has other than 5 or 68 points.

    Example:
        >>> next(parse_landmarks("a.png 30 40 70 40 50 60 35 80 65 80", "faces.txt"))
        ('a.png', ((30.0, 40.0), (70.0, 40.0), (50.0, 60.0), (35.0, 80.0), (65.0, 80.0)))
    """
    if text.lstrip()[:1] in ("{", "["):
        yield from _from_json(text, where)
        return
    comma = "," in text
    rows = csv.reader(io.StringIO(text)) if comma else (line.split() for line in text.splitlines())
    found = False
    for number, row in enumerate(rows, start=1):
        if not row:
            continue
        try:
            values = [float(value) for value in row[1:]]
        except ValueError:
            values = []
        if not values and number <= 2:
            continue  # headings, or the count that CelebA's list begins with
        yield row[0].strip(), _points(values, f"{where}, line {number} ({row[0]})")
        found = True
    if not found:
        raise SourceError(f"{where} holds no landmarks; write a line for each face: its image, and 10 or 136 numbers")


def mirrored(points: Points) -> Points:
    """The landmarks of a face whose picture was mirrored, each under its new name: the left eye was the right one.

    Example:
        >>> mirrored(((70.0, 40.0), (30.0, 40.0), (50.0, 60.0), (65.0, 80.0), (35.0, 80.0)))[:2]
        ((30.0, 40.0), (70.0, 40.0))
    """
    out = list(points)
    for a, b in _PAIRS_5 if len(points) == COUNTS[0] else _PAIRS_68:
        out[a], out[b] = points[b], points[a]
    return tuple(out)


def _from_json(text: str, where: str) -> Iterator[tuple[str, Points]]:
    try:
        raw = json.loads(text)
    except ValueError as error:
        raise SourceError(f"{where} is no JSON ({error}); correct it") from error
    if not isinstance(raw, Mapping) or not raw:
        raise SourceError(f"{where} is a JSON list or empty; map the names of images to points")
    for name, value in raw.items():
        if isinstance(value, Mapping) and "in_the_wild" in value:  # FFHQ's own list
            wild = value["in_the_wild"]
            file = str(wild.get("file_path", name)).removeprefix("in-the-wild-images/")
            yield file, _points(wild.get("face_landmarks"), f"{where}, {name}")
        else:
            several = isinstance(value, list) and value and isinstance(value[0], list) and _is_face(value[0])
            for face in value if several else [value]:
                yield name, _points(face, f"{where}, {name}")


def _is_face(value: Sequence[Any]) -> bool:
    return bool(value) and (isinstance(value[0], list) or len(value) in [2 * count for count in COUNTS])


def _points(raw: Any, where: str) -> Points:
    try:
        flat = [float(v) for item in raw for v in (item if isinstance(item, list) else [item])]
    except (TypeError, ValueError) as error:
        raise SourceError(f"{where}: {raw!r:.60} are no points; write [[x, y], ...]") from error
    if len(flat) not in [2 * count for count in COUNTS] or not all(map(math.isfinite, flat)):
        raise SourceError(f"{where}: {len(flat)} numbers; a face has 5 or 68 points (x, y)")
    return tuple(zip(flat[::2], flat[1::2], strict=True))


def _beside(source: str, name: str) -> str:
    """Where a file of the source's folder is."""
    if is_remote(name) or Path(name).is_absolute():
        return name
    if is_remote(source):
        return f"{source}#{name}"
    folder = Path(source.removeprefix("file://"))
    while not folder.is_dir() and folder != folder.parent:  # an image, a list or a glob
        folder = folder.parent
    return str(folder / name)
