import hashlib
import io
import math
from dataclasses import replace

import pytest

from degradekit_models import download as fetching
from degradekit_models.archs import ARCHS
from degradekit_models.download import default_folder, download, find_model
from degradekit_models.errors import ModelError
from degradekit_models.zoo import PAPERS, WEIGHTS, find_weights, measure

CONTENT = b"weights" * 1000
KNOWN = replace(find_weights("RealESRGAN_x4plus"), sha256=hashlib.sha256(CONTENT).hexdigest())


def serve(url):
    assert url == KNOWN.url
    return io.BytesIO(CONTENT)


def unreachable(url):
    raise AssertionError("nothing is to be fetched")


def test_the_table_is_whole():
    assert {arch.cls.__name__ for arch in ARCHS.values()} <= set(PAPERS)
    assert len({w.name for w in WEIGHTS}) == len(WEIGHTS)
    for weights in WEIGHTS:
        assert weights.arch in ARCHS, weights
        assert weights.url is None or (weights.url.startswith("https://") and weights.url.endswith(weights.file))
        assert weights.sha256 is None or len(weights.sha256) in (8, 64)
        if weights.sha256 is not None and len(weights.sha256) == 8:
            assert f"-{weights.sha256}." in weights.file


@pytest.mark.parametrize(
    ("name", "macs"),
    [
        # By hand: 9 x pixels x (3 x 64 + 16 x 64 x 64 + 64 x 48).
        ("srvgg_animevideov3", 9 * 64 * 64 * (3 * 64 + 16 * 64 * 64 + 64 * 48)),
        # A trunk of 23 x 3 dense blocks at the size of the input, and a tail at twice and four times of it.
        (
            "rrdbnet_x4_23b",
            9
            * 64
            * 64
            * (
                3 * 64
                + 69 * (32 * (64 + 96 + 128 + 160) + 192 * 64)
                + 64 * 64
                + 4 * 64 * 64
                + 16 * (2 * 64 * 64 + 64 * 3)
            ),
        ),
    ],
)
def test_costs_are_counted(name, macs, manifests):
    cost = measure(name)
    assert (cost.macs, cost.size) == (macs, (64, 64))
    assert cost.parameters == sum(math.prod(shape) for _, shape, _, kind in manifests[name]["keys"] if kind == "param")


def test_networks_of_one_size_are_counted_at_it():
    assert measure("vgg_discriminator_128").size == (128, 128)
    assert measure("stylegan2_generator_256_c2").size == (256, 256)


def test_files_are_downloaded_once_and_verified(tmp_path):
    seen = []
    path = download(KNOWN, folder=tmp_path / "new", opener=serve, advance=seen.append)
    assert path.read_bytes() == CONTENT and sum(seen) == len(CONTENT)
    assert download(KNOWN, folder=tmp_path / "new", opener=unreachable) == path
    path.write_bytes(b"other")
    with pytest.raises(ModelError, match=r"is not the published RealESRGAN_x4plus\.pth"):
        download(KNOWN, folder=tmp_path / "new", opener=unreachable)


def test_other_content_is_not_kept(tmp_path):
    with pytest.raises(ModelError, match="is not the published"):
        download(replace(KNOWN, sha256="0" * 8), folder=tmp_path, opener=serve)
    assert not list(tmp_path.iterdir())

    def broken(url):
        raise OSError("no route to host")

    with pytest.raises(ModelError, match="no route to host"):
        download(KNOWN, folder=tmp_path, opener=broken)
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_verified_is_refused_unless_accepted(tmp_path):
    unknown = replace(KNOWN, sha256=None)
    with pytest.raises(ModelError, match="no digest of this file is known"):
        download(unknown, folder=tmp_path, opener=unreachable)
    assert download(unknown, folder=tmp_path, opener=serve, unverified=True).read_bytes() == CONTENT
    with pytest.raises(ModelError, match="folder for browsers"):
        download(replace(KNOWN, url=None), folder=tmp_path / "b", opener=unreachable)
    with pytest.raises(ModelError, match="only https"):
        download(replace(KNOWN, url="http://example.org/a.pth"), folder=tmp_path / "c", opener=unreachable)


def test_names_mean_files_in_the_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("DEGRADEKIT_MODELS", str(tmp_path))
    monkeypatch.setattr(fetching, "urlopen", unreachable)
    assert default_folder() == tmp_path
    with pytest.raises(ModelError, match="degradekit-models download RealESRGAN_x4plus"):
        find_model("RealESRGAN_x4plus")
    (tmp_path / "RealESRGAN_x4plus.pth").write_bytes(b"by hand")
    assert find_model("RealESRGAN_x4plus") == tmp_path / "RealESRGAN_x4plus.pth"
    (tmp_path / "own.pth").write_bytes(b"")
    assert find_model(str(tmp_path / "own.pth")) == tmp_path / "own.pth"
    for model, message in {
        "rrdbnet_x4_23b": r"is a network, not a weight file; published for it: RealESRGAN_x4plus",
        "rrdbnet_x1_23b": "nothing was published for it",
        "nonsense": "neither a file nor a published one",
        "folder/missing.pth": "no such file",
    }.items():
        with pytest.raises(ModelError, match=message):
            find_model(model)
