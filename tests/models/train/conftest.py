"""A small dataset and the smallest config that trains on it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("lightning")

TINY = """
name: tiny
generator: {arch: msrresnet_x4, arguments: {num_feat: 8, num_block: 1}}
data: {crop: 32, batch_size: 4}
iterations: 6
optimizer: {lr: 1.0e-3}
schedule: {periods: [6]}
pixel: {weight: 1.0}
ema: 0.5
save_every: 2
"""

TINY_GAN = """
name: tiny_gan
generator: {arch: msrresnet_x4, arguments: {num_feat: 8, num_block: 1}}
discriminator: {arch: unet_discriminator_sn, arguments: {num_feat: 4}}
data: {crop: 32, batch_size: 4, accumulate: 2}
iterations: 6
optimizer: {lr: 1.0e-3}
pixel: {weight: 1.0}
adversarial: {weight: 0.1}
sharpen: {pixel: true}
save_every: 2
"""

TINY_REAL_BASICVSR = """
scheme: real_basicvsr
name: tiny_real_basicvsr
generator: {arch: realbasicvsr, arguments: {mid_channels: 8, num_propagation_blocks: 1, num_cleaning_blocks: 1}}
discriminator: {arch: unet_discriminator_sn, arguments: {num_feat: 4}}
data: {batch_size: 1, clip: 2, mirror: true}
iterations: 3
optimizer: {lr: 1.0e-3}
pixel: {weight: 1.0}
cleaning: {weight: 0.5}
adversarial: {weight: 0.1}
sharpen: {pixel: true}
save_every: 1
"""

EDVR = "num_feat: 8, num_frame: 3, deformable_groups: 2, num_extract_block: 1, num_reconstruct_block: 1"
TINY_EDVR = f"""
name: tiny_edvr
generator: {{arch: edvr_m_x4_sr_reds, arguments: {{{EDVR}}}}}
data: {{crop: 64, batch_size: 2, clip: 3}}
iterations: 3
optimizer: {{lr: 1.0e-3}}
pixel: {{kind: charbonnier, weight: 1.0, reduction: sum}}
freeze: [{{names: [fusion], others: true, until: 2}}]
ema: 0.5
save_every: 1
"""

TINY_CASCADE = f"""
scheme: edvr_cascade
name: tiny_cascade
first: {{arch: edvr_m_wotsa_x4_sr_reds, arguments: {{{EDVR}}}}}
generator: {{arch: edvr_m_wotsa_x4_sr_reds, arguments: {{{EDVR}, hr_in: true, with_predeblur: true}}}}
data: {{crop: 64, batch_size: 2, clip: 5}}
iterations: 3
optimizer: {{lr: 1.0e-3}}
pixel: {{weight: 1.0}}
save_every: 1
"""


def texture(h: int, w: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    layers = [cv2.resize(rng.random((h // n, w // n, 3)), (w, h), interpolation=cv2.INTER_CUBIC) for n in (3, 8, 20)]
    return (np.clip(sum(layers) / 3, 0, 1) * 255).astype(np.uint8)


def built(recipe: str, source: Path, out: Path) -> Path:
    from degradekit.job import plan_build, run_build
    from degradekit.progress import Progress
    from degradekit.recipe import parse_recipe

    run_build(
        plan_build(parse_recipe(recipe, where="tiny"), source=str(source), out=str(out)),
        Progress(None),
        executor="inline",
    )
    return out


@pytest.fixture(scope="session")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 bicubic pairs, 64 px to 16 px."""
    folder = tmp_path_factory.mktemp("shards")
    for i in range(6):
        assert cv2.imwrite(str(folder / f"{i}.png"), texture(160, 160, i))
    text = (
        "name: tiny\nscale: 4\nextract: {mode: random, size: 64, per_image: 4}\n"
        "degrade: {down: {op: resize, relative_to: target, factor_range: 1, mode: matlab_bicubic}}"
    )
    return built(text, folder, folder / "set")


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """12 bicubic pairs of clips of 5 frames, 64 px to 16 px, that drift by 3 px a frame."""
    folder = tmp_path_factory.mktemp("clips")
    for i in range(12):
        (folder / "frames" / str(i)).mkdir(parents=True)
        picture = texture(80, 80, i)
        for t in range(5):
            assert cv2.imwrite(str(folder / "frames" / str(i) / f"{t:08d}.png"), picture[3 * t :, 3 * t :][:64, :64])
    return built(
        "name: tiny\nscale: 4\nextract: {mode: whole, clip: {length: 5}}\n"
        "degrade: {down: {op: resize, relative_to: target, factor_range: 1, mode: matlab_bicubic}}",
        folder / "frames",
        folder / "set",
    )


@pytest.fixture(scope="session")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """12 pairs of aligned faces with landmarks, 32 px."""
    from tests.models.train.faces import build_faces  # which draws with what is here

    return build_faces(tmp_path_factory.mktemp("faces"))
