import json

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from degradekit_models.archs import build
from degradekit_models.archs.gfpgan import GFPGANv1Clean
from degradekit_models.errors import ModelError
from degradekit_models.restore import detectors
from degradekit_models.restore.faces import (
    TEMPLATE,
    align,
    enhance_faces,
    face_network,
    feathered_mask,
    read_landmarks,
    similarity,
)
from degradekit_models.restore.pictures import Picture


def smooth(h, w):
    ys, xs = np.mgrid[:h, :w].astype(np.float32)
    waves = [np.sin(xs / 11 + c) * np.cos(ys / 13 - c) for c in range(3)]
    return (0.5 + 0.4 * np.stack(waves, -1)).astype(np.float32)


def moved(scale, angle, shift):
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return TEMPLATE @ turn.T + shift


def same(face):
    return face


def green(face):
    return np.broadcast_to(np.float32((0, 1, 0)), face.shape)


@settings(max_examples=50, deadline=None)
@given(st.floats(0.05, 4), st.floats(-3.1, 3.1), st.tuples(st.floats(-500, 500), st.floats(-500, 500)))
def test_a_similarity_is_found_again(scale, angle, shift):
    matrix = similarity(moved(scale, angle, np.array(shift)), TEMPLATE)
    np.testing.assert_allclose(
        moved(scale, angle, np.array(shift)) @ matrix[:, :2].T + matrix[:, 2], TEMPLATE, atol=1e-6
    )
    assert np.hypot(*matrix[:, 0]) == pytest.approx(1 / scale)


def test_a_fit_is_the_least_squares_one():
    rng = np.random.default_rng(0)
    points = rng.random((5, 2)) * 100
    best = similarity(points, TEMPLATE)

    def loss(m):
        return ((points @ m[:, :2].T + m[:, 2] - TEMPLATE) ** 2).sum()

    for _ in range(20):
        a, b, x, y = rng.normal(0, 0.01, 4)
        other = best + np.array([[a, -b, x], [b, a, y]])
        assert loss(other) > loss(best)
    with pytest.raises(ModelError, match="lie in one point"):
        similarity(np.ones((5, 2)), TEMPLATE)


@pytest.mark.parametrize("stretch", [1, 2])
def test_pasting_back_is_exact_where_the_face_lies_on_pixels(stretch):
    picture = Picture(smooth(560, 600))
    background = picture
    if stretch == 2:
        points = moved(1, 0, np.array((40, 20)))
        background = Picture(cv2.resize(picture.rgb, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC))
        out = enhance_faces(picture, background, points[None], same)
        assert np.abs(out.rgb - background.rgb).max() < 1 / 255
        return
    out = enhance_faces(picture, background, moved(1, 0, np.array((40, 20)))[None], same)
    np.testing.assert_allclose(out.rgb, picture.rgb, atol=1e-6)


@pytest.mark.parametrize(("scale", "angle"), [(0.4, 0.3), (0.8, -0.5), (0.25, 3.0), (1.5, 0.1)])
def test_pasting_back_is_the_identity_where_the_face_network_is(scale, angle):
    picture = Picture(smooth(500, 620))
    points = moved(scale, angle, np.array((200 if angle < 2 else 400, 150 if angle < 2 else 350)))
    error = np.abs(enhance_faces(picture, picture, points[None], same).rgb - picture.rgb)
    assert error[4:-4, 4:-4].max() < 1.5 / 255
    assert error.max() < 4 / 255  # mirroring bends what was smooth at the border


def test_faces_fade_into_the_background_without_an_edge():
    picture = Picture(np.full((400, 400, 3), 0.5, np.float32))
    out = enhance_faces(picture, picture, moved(0.5, 0.2, np.array((80, 60)))[None], green).rgb
    assert np.abs(out - np.float32((0, 1, 0))).min(axis=(0, 1)).max() < 1e-3  # the face is there
    changed = np.abs(out - 0.5).max(-1) > 0
    assert changed[1:-1, 1:-1].mean() < 0.6
    assert max(np.abs(np.diff(out, axis=a)).max() for a in (0, 1)) < 0.04
    mask = feathered_mask(512)
    assert mask[256, 256] == 1 and mask[0].max() < 1e-3 and np.abs(np.diff(mask, axis=0)).max() < 0.04


def test_grey_pictures_stay_grey():
    picture = Picture(np.full((300, 300, 3), 0.5, np.float32), grey=True)
    out = enhance_faces(picture, picture, moved(0.5, 0.2, np.array((80, 60)))[None], green)
    assert out.grey and np.ptp(out.rgb, axis=2).max() < 1e-6
    assert np.abs(out.rgb - 0.587).min() < 1e-2


def test_the_aligned_face_has_its_landmarks_at_the_template():
    rgb = np.zeros((300, 320, 3), np.float32)
    points = moved(0.4, 0.35, np.array((110, 20)))
    for x, y in points:
        cv2.circle(rgb, (round(x * 16), round(y * 16)), 3 * 16, (1, 1, 1), -1, shift=4)
    face = align(rgb, similarity(points, TEMPLATE))
    for x, y in TEMPLATE:
        assert face[round(y), round(x)].min() > 0.9
    assert face[100, 256].max() == 0
    grey = np.full_like(rgb, 0.3)
    np.testing.assert_allclose(align(grey, similarity(points - 200, TEMPLATE)), 0.3, atol=1e-6)


def test_tiny_faces_and_no_faces_leave_the_background():
    picture = Picture(smooth(60, 60))
    assert enhance_faces(picture, picture, moved(0.02, 0, np.array((20, 20)))[None], green).rgb is picture.rgb
    assert enhance_faces(picture, picture, np.zeros((0, 5, 2)), green).rgb is picture.rgb


@torch.no_grad()
def test_a_gfpgan_restores_faces_repeatably():
    torch.manual_seed(0)
    net = GFPGANv1Clean(512, 16, num_mlp=1, narrow=0.0625, input_is_latent=True, different_w=True, sft_half=True)
    restore = face_network(net)
    face = smooth(512, 512)
    out = restore(face)
    assert out.shape == (512, 512, 3) and out.min() >= 0 and out.max() <= 1
    np.testing.assert_array_equal(out, restore(face))
    x = torch.from_numpy(face).movedim(-1, 0)[None] * 2 - 1
    expected = (net(x, randomize_noise=False)[0][0].clamp(-1, 1) + 1) / 2
    np.testing.assert_allclose(out, expected.movedim(0, -1).numpy(), atol=1e-6)
    with pytest.raises(ModelError, match="SRVGGNetCompact restores no aligned faces"):
        face_network(build("srvgg_animevideov3", num_feat=4, num_conv=1))
    with pytest.raises(ModelError, match="faces of 16 pixels"):
        face_network(GFPGANv1Clean(16, 8, num_mlp=1, narrow=0.0625))


def test_landmarks_are_read_and_checked(tmp_path):
    path = tmp_path / "faces.json"
    path.write_text(json.dumps({"a.png": [TEMPLATE.tolist()], "b.png": []}))
    read = read_landmarks(path)
    np.testing.assert_array_equal(read["a.png"], TEMPLATE[None])
    assert read["b.png"].shape == (0, 5, 2)
    for text in ("[]", "{", '{"a": [[1, 2]]}', '{"a": "b"}'):
        path.write_text(text)
        with pytest.raises(ModelError, match="is not of the form"):
            read_landmarks(path)
    path.write_text('{"a": [[[NaN, 1], [1, 1], [1, 1], [1, 1], [1, 1]]]}')
    with pytest.raises(ModelError, match="not finite"):
        read_landmarks(path)
    with pytest.raises(ModelError, match="No such file"):
        read_landmarks(tmp_path / "missing.json")


class YuNet:
    """Answers like OpenCV's detector: two faces, the smaller one first."""

    def setInputSize(self, size):
        self.size = size

    def detect(self, levels):
        assert levels.shape == (*self.size[::-1], 3) and levels.dtype == np.uint8
        small = [1, 1, 4, 4, *range(10), 0.9]
        large = [1, 1, 9, 9, *(TEMPLATE / 4).ravel(), 0.9]
        return 1, np.array([small, large], np.float32)


def test_yunet_finds_faces_in_pixels_of_the_picture(tmp_path, monkeypatch):
    path = tmp_path / "yunet.onnx"
    path.write_bytes(b"")
    made = []
    monkeypatch.setattr(detectors.cv2.FaceDetectorYN, "create", lambda *a: made.append(a) or YuNet(), raising=True)
    detect = detectors.open_detector(path, confidence=0.7)
    assert made[0][0] == str(path) and made[0][3] == 0.7
    small = detect(np.zeros((200, 300, 3), np.float32))
    np.testing.assert_allclose(small[0], TEMPLATE / 4, rtol=1e-6)
    assert len(small) == 2
    large = detect(np.zeros((1280, 2560, 3), np.float32))
    np.testing.assert_allclose(large[0], TEMPLATE / 2 + 0.5, rtol=1e-6)


def test_detectors_that_cannot_be_loaded_are_named(tmp_path):
    with pytest.raises(ModelError, match="no such file"):
        detectors.open_detector(tmp_path / "missing.onnx")
    for name, message in {"bad.onnx": "cannot load it as YuNet", "bad.txt": "a face detector is"}.items():
        (tmp_path / name).write_bytes(b"nonsense")
        with pytest.raises(ModelError, match=message):
            detectors.open_detector(tmp_path / name)
    (tmp_path / "retina.pth").write_bytes(b"nonsense")
    with pytest.raises(ModelError, match=r"needs facexlib|cannot be read|safely"):
        detectors.open_detector(tmp_path / "retina.pth")
