from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from degradekit.errors import SourceError
from degradekit.source import Faces, SkippedFace, list_faces, mirrored, take_face
from degradekit.source.landmarks import Landmarks, parse_landmarks, read_landmarks

FIVE = ((30.0, 40.0), (70.0, 40.0), (50.0, 60.0), (35.0, 80.0), (65.0, 80.0))
FLAT = [n for point in FIVE for n in point]
MANY = tuple((float(i), 2.0 * i) for i in range(68))


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"a.png": FIVE}),
        json.dumps({"a.png": FLAT}),
        json.dumps({"a.png": [FIVE]}),
        json.dumps({"a.png": [FLAT]}),
        json.dumps({"0": {"in_the_wild": {"file_path": "in-the-wild-images/a.png", "face_landmarks": FIVE}}}),
        "a.png," + ",".join(map(str, FLAT)),
        "image,lx,ly,rx,ry,nx,ny,mlx,mly,mrx,mry\n\n'a.png',".replace("'", '"') + ", ".join(map(str, FLAT)),
        "202599\nlefteye_x lefteye_y righteye_x\na.png  " + " ".join(map(str, FLAT)) + "\n",
    ],
    ids=["points", "flat", "faces", "flat faces", "ffhq", "csv", "csv with headings", "celeba"],
)
def test_every_form_says_the_same(text: str) -> None:
    assert list(parse_landmarks(text, "faces")) == [("a.png", FIVE)]


def test_68_points_and_several_faces() -> None:
    text = json.dumps({"a.png": [FIVE, MANY], "b.png": MANY})
    assert list(parse_landmarks(text, "faces")) == [("a.png", FIVE), ("a.png", MANY), ("b.png", MANY)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no landmarks"),
        ("202599\nlefteye_x lefteye_y", "holds no landmarks"),
        ("a.png 1 2 3", "line 1 (a.png): 3 numbers"),
        ("a.png " + " ".join(map(str, FLAT)) + "\n\nb.png 1 2 x", "line 3 (b.png)"),
        ('{"a.png": [[1, 2]]}', "2 numbers; a face has 5 or 68 points"),
        ('{"a.png": [[1, null]]}', "are no points"),
        ('{"a.png": 7}', "are no points"),
        ('{"a.png": ', "is no JSON"),
        ("[1, 2]", "is a JSON list or empty"),
        ('{"a.png": [' + ", ".join(["NaN"] * 10) + "]}", "10 numbers"),
    ],
)
def test_what_are_no_landmarks_is_refused(text: str, message: str) -> None:
    with pytest.raises(SourceError) as caught:
        list(parse_landmarks(text, "faces.txt"))
    assert message in str(caught.value)


def test_an_image_is_found_by_path_name_or_stem() -> None:
    landmarks = Landmarks([("x/a.png", FIVE), ("a.png", MANY), ("b", FIVE)])
    assert landmarks.of("x/a.png") == (FIVE,)
    assert landmarks.of("y/a.png") == (MANY,)
    assert landmarks.of("y/b.jpg") == (FIVE,)
    assert landmarks.of("c.jpg") == ()


@pytest.mark.parametrize("points", [FIVE, MANY])
def test_a_mirror_gives_names_back(points: tuple[tuple[float, float], ...]) -> None:
    assert mirrored(points) != points
    assert mirrored(mirrored(points)) == points


def test_a_mirrored_face_has_its_landmarks_in_order_again() -> None:
    """A symmetric face of 68 points: mirrored and renamed, it is itself."""
    angles = np.linspace(np.pi, 0, 17)
    half = np.random.default_rng(0).random((68, 2)) * 40
    face = half.copy()
    face[:17] = np.stack([50 * np.cos(angles), 50 * np.sin(angles)], axis=1)
    for i, partner in enumerate(np.array([p[0] for p in mirrored(tuple((float(i), 0.0) for i in range(68)))], int)):
        face[i] = (0, face[i, 1]) if partner == i else face[i]
        if i < partner:
            face[partner] = face[i] * (-1, 1)
    flipped = tuple((-float(x), float(y)) for x, y in face)
    np.testing.assert_allclose(mirrored(flipped), face, atol=1e-12)
    assert face[0, 0] < face[16, 0]


@pytest.fixture
def portraits(tmp_path: Path) -> Path:
    for name in ("a.png", "sub/b.png", "none.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        assert cv2.imwrite(str(tmp_path / name), np.full((120, 110, 3), 90, np.uint8))
    (tmp_path / "faces.json").write_text(json.dumps({"a.png": [FIVE, FLAT], "sub/b.png": FIVE}))
    return tmp_path


def test_faces_are_listed_beside_their_images(portraits: Path) -> None:
    listing = list_faces(portraits, Faces(landmarks="faces.json"))
    assert [image.key for image in listing.images] == ["a.png@0", "a.png@1", "none.png@0", "sub/b.png@0"]
    faces = [image.face for image in listing.images]
    assert all(face is not None for face in faces)
    picture = np.full((120, 110, 3), 90, np.uint8)
    aligned, points = take_face(picture, faces[0], Faces(landmarks="faces.json", size=64))  # type: ignore[arg-type]
    assert aligned.shape == (64, 64, 3)
    assert points[1][0] - points[0][0] == pytest.approx(16)  # the eyes are a quarter of the square apart
    same, points = take_face(picture, faces[0], Faces(landmarks="faces.json", align="none"))  # type: ignore[arg-type]
    assert same is picture
    assert points == FIVE
    with pytest.raises(SourceError, match=r"has no landmarks of none\.png"):
        take_face(picture, faces[2], Faces(landmarks="faces.json"))  # type: ignore[arg-type]
    skipping = list_faces(portraits, Faces(landmarks="faces.json", missing="skip")).images[2].face
    with pytest.raises(SkippedFace):
        take_face(picture, skipping, Faces(landmarks="faces.json"))  # type: ignore[arg-type]


def test_the_file_is_beside_a_list_or_a_glob_too(portraits: Path) -> None:
    for source in (portraits / "*.png", portraits / "a.png", f"file://{portraits}"):
        assert read_landmarks(source, "faces.json").of("a.png") == (FIVE, FIVE)
    with pytest.raises(SourceError, match="cannot be opened"):
        read_landmarks(portraits, "absent.json")
    (portraits / "other.txt").write_text("z.png " + " ".join(map(str, FLAT)))
    with pytest.raises(SourceError, match="names none of the 3 images"):
        list_faces(portraits, Faces(landmarks="other.txt"))
    (portraits / "binary.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SourceError, match="no UTF-8"):
        read_landmarks(portraits, "binary.txt")
