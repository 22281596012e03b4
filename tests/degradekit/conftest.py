"""Pictures and builds that several tests share."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from urllib.parse import quote

import cv2
import numpy as np
import pytest

Run = Callable[..., tuple[int, str, str]]

SMALL_RECIPE = """
name: small
scale: 4
extract: {mode: random, size: 64, per_image: 2, small: pad}
target:
  flip: {op: flip, horizontal: 0.5}
degrade:
  blur1: {op: gaussian_blur, size_range: {integer: [7, 15], step: 2}, sigma_x_range: [0.4, 2]}
  resize1: {op: resize, relative_to: current, factor_range: [0.5, 1.2], mode: [area, bilinear, bicubic]}
  noise1:
    one_of:
      gaussian: {p: 0.5, op: gaussian_noise, sigma_range: [1/255, 20/255]}
      poisson: {p: 0.5, op: poisson_noise, form: content, scale_range: [0.1, 2]}
  resize2: {op: resize, relative_to: target, factor_range: 1, mode: bicubic}
  jpeg1: {op: jpeg, quality_range: [30, 95]}
"""

QUICK_RECIPE = """
scale: 4
options: {grey: false}
extract: {mode: random, size: 32, small: pad}
degrade:
  grey: {when: grey, op: grey}
  noise: {op: gaussian_noise, sigma_range: [1/255, 9/255]}
  down: {op: resize, relative_to: target, factor_range: 1, mode: area}
"""


def picture(h: int, w: int, seed: int) -> np.ndarray:
    """A smooth random colour picture with an edge in it, uint8 RGB."""
    rng = np.random.default_rng(seed)
    smooth = cv2.resize(rng.random((max(2, h // 12), max(2, w // 12), 3)), (w, h), interpolation=cv2.INTER_CUBIC)
    smooth[h // 3 : h // 2, w // 4 :] *= 0.4
    return (np.clip(smooth, 0, 1) * 255).astype(np.uint8)


def write_picture(path: Path, h: int = 96, w: int = 120, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), picture(h, w, seed)[..., ::-1])
    return path


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of a dozen pictures of several sizes and formats."""
    folder = tmp_path_factory.mktemp("photos")
    for i in range(12):
        name = f"{'sub dir/' if i % 3 == 0 else ''}bild.{i:02d} ü.{('png', 'jpg', 'bmp')[i % 3]}"
        write_picture(folder / name, 60 + 9 * i, 150 - 5 * i, seed=i)
    return folder


@pytest.fixture(scope="session")
def small_recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A quick recipe with a choice, an intermediate size and a codec."""
    path = tmp_path_factory.mktemp("recipe") / "small.yaml"
    path.write_text(SMALL_RECIPE)
    return path


@pytest.fixture(scope="session")
def built(photos: Path, small_recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished dataset: 13 images, one of them broken, two crops, two variants, in shards of 8; read only."""
    from degradekit.job import plan_build, run_build
    from degradekit.progress import Progress
    from degradekit.recipe import load_recipe

    folder = tmp_path_factory.mktemp("built")
    source = folder / "source"
    shutil.copytree(photos, source)
    (source / "broken.png").write_bytes(b"no picture")
    plan = plan_build(load_recipe(small_recipe), source=str(source), out=str(folder / "set"), variants=2, shard_size=8)
    run_build(plan, Progress(None), executor="inline")
    return folder / "set"


@pytest.fixture(scope="session")
def write_video() -> Callable[..., Path]:
    """Write frames ``[T, H, W, 3]`` as a lossless video with B-frames, a key frame every four frames.

    ``times`` are in ms; without them there are 25 frames a second.
    """
    import av

    def write(path: Path, frames: np.ndarray, times: Sequence[int] = ()) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264rgb", rate=25, options={"qp": "0", "x264-params": "threads=1"})
            stream.height, stream.width = frames.shape[1:3]
            stream.pix_fmt = "rgb24"
            stream.codec_context.gop_size = 4
            for i, picture in enumerate(frames):
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                frame.pts, frame.time_base = (times[i], Fraction(1, 1000)) if times else (i, Fraction(1, 25))
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return path

    return write


@pytest.fixture
def degradekit(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command line in this process: (exit code, stdout, stderr)."""
    from degradekit.cli import main

    def run(*args: object) -> tuple[int, str, str]:
        try:
            code = main([str(arg) for arg in args])
        except SystemExit as stop:
            code = int(stop.code or 0)
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """Address of an S3 server on the loopback that has the bucket ``bucket``."""
    import boto3
    from moto.server import ThreadedMotoServer

    before = {name: os.environ.get(name) for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
    os.environ.update(dict.fromkeys(before, "testing"))
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    client = boto3.client("s3", endpoint_url=f"http://{host}:{port}", region_name="us-east-1")
    client.create_bucket(Bucket="bucket")
    client.close()
    yield f"{host}:{port}"
    server.stop()
    for name, value in before.items():
        if value is None:
            del os.environ[name]
        else:
            os.environ[name] = value


@pytest.fixture(params=["local", "file", "s3", "fsspec"])
def store_uri(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty place for a dataset, of each kind that ``storage.open_store`` knows."""
    if request.param == "local":
        return str(tmp_path / "set")
    if request.param == "file":
        return f"file://{tmp_path}/set"
    if request.param == "fsspec":
        return f"memory://{tmp_path}/set"
    address = quote(request.getfixturevalue("s3_server"))
    return f"s3://bucket/{tmp_path.relative_to('/')}/set?region=us-east-1&scheme=http&endpoint_override={address}"


@pytest.fixture
def quick_recipe(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.yaml"
    path.write_text(QUICK_RECIPE)
    return path


@pytest.fixture
def quick_source(tmp_path: Path) -> Path:
    """Four pictures that nothing is wrong with."""
    for i in range(4):
        write_picture(tmp_path / f"source/{i}.png", 40, 48, seed=i)
    return tmp_path / "source"


@pytest.fixture
def build(quick_recipe: Path, quick_source: Path, tmp_path: Path, degradekit: Run) -> Run:
    """Build 24 pairs in shards of 4, or what other options say; flags come first."""

    def run(*flags: object, out: object = tmp_path / "out", **other: object) -> tuple[int, str, str]:
        options = {"source": quick_source, "out": out, "per-image": 6, "shard-size": 4, "executor": "inline"} | other
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        return degradekit("build", quick_recipe, *words, *flags)

    return run
