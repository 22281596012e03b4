"""Faces to train on in seconds: drawn, with landmarks, and the smallest configs."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from tests.models.train.conftest import texture

SIDE = 32
"""Of an aligned face in px."""

TINY_GFPGAN = """
scheme: gfpgan
name: tiny_gfpgan
generator:
  arch: gfpganv1_original
  arguments: {out_size: 32, num_style_feat: 16, num_mlp: 1, narrow: 0.03125}
discriminator: {arch: stylegan2_discriminator_512_c1, arguments: {out_size: 32, narrow: 0.03125}}
data: {batch_size: 4, flip: true, rotate: false}
iterations: 4
optimizer: {lr: 2.0e-3, betas: [0.0, 0.99]}
discriminator_optimizer: {lr: 2.0e-3, betas: [0.0, 0.990586]}
pixel: {weight: 0.1}
pyramid: {weight: 1.0, until: 2}
perceptual: {layers: {conv1_2: 0.1, conv2_2: 0.1}, weight: 1.0, style_weight: 50.0}
adversarial: {kind: wgan_softplus, weight: 0.1}
r1: {weight: 10.0, every: 2}
components: {weight: 1.0, style_weight: 200.0, optimizer: {lr: 2.0e-3, betas: [0.9, 0.99]}}
ema: 0.5
save_every: 2
validation: {every: 2, pictures: 2, crop_border: 0}
"""

IDENTITY = "identity: {weight: 10.0}\n"
"""Left out of the smallest config: its network alone takes four fifths of the time."""

TINY_STYLEGAN2 = """
scheme: stylegan2
name: tiny_stylegan2
generator:
  arch: stylegan2_generator_256_c2
  arguments: {out_size: 32, num_style_feat: 16, num_mlp: 2, narrow: 0.03125}
discriminator: {arch: stylegan2_discriminator_256_c2, arguments: {out_size: 32, narrow: 0.03125}}
data: {batch_size: 4, flip: true, rotate: false}
iterations: 6
optimizer: {lr: 2.0e-3, betas: [0.0, 0.991992]}
discriminator_optimizer: {lr: 2.0e-3, betas: [0.0, 0.990586]}
adversarial: {kind: wgan_softplus, weight: 1.0}
r1: {weight: 10.0, every: 3}
path_length: {weight: 2.0, every: 2}
mixing: 0.5
ema: 0.5
save_every: 2
validation: {every: 3, pictures: 2}
"""

POINTS = np.array(((40.0, 50.0), (80.0, 50.0), (60.0, 66.0), (44.0, 84.0), (76.0, 84.0)))


def draw_face(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A picture of 120 px with something like a face, slightly turned, and its five landmarks."""
    rng = np.random.default_rng(seed)
    turn = cv2.getRotationMatrix2D((60, 64), float(rng.uniform(-20, 20)), float(rng.uniform(0.8, 1.1)))
    points = POINTS @ turn[:, :2].T + turn[:, 2]
    face = np.clip(texture(120, 120, seed) * 0.3 + rng.uniform(60, 160, 3), 0, 255).astype(np.uint8)
    for (x, y), colour in zip(points[:2], ((20, 30, 40), (40, 30, 20)), strict=True):
        cv2.circle(face, (round(x), round(y)), 9, (240, 240, 240), -1, cv2.LINE_AA)
        cv2.circle(face, (round(x), round(y)), 5, colour, -1, cv2.LINE_AA)
    corners = points[3:].round().astype(int)
    cv2.line(face, corners[0].tolist(), corners[1].tolist(), (180, 40, 60), 7, cv2.LINE_AA)
    return face, points


def build_faces(folder: Path, count: int = 6) -> Path:
    """A dataset of aligned faces of 32 px with their landmarks, by recipe gfpgan."""
    from degradekit.job import plan_build, run_build
    from degradekit.progress import Progress
    from degradekit.recipe import parse_recipe

    lines = []
    for i in range(count):
        face, points = draw_face(i)
        assert cv2.imwrite(str(folder / f"{i}.png"), face[..., ::-1])
        lines.append(f"{i}.png," + ",".join(f"{n:.3f}" for n in points.ravel()))
    (folder / "faces.csv").write_text("\n".join(lines))
    extract = f"{{mode: whole, size: null, scales: [1], shortest: null, faces: {{landmarks: faces.csv, size: {SIDE}}}}}"
    recipe = parse_recipe(f"name: tiny_faces\nextends: gfpgan\nextract: {extract}\n", where="tiny_faces")
    plan = plan_build(recipe, source=str(folder), out=str(folder / "set"), variants=2)
    run_build(plan, Progress(None), executor="inline")
    return folder / "set"
