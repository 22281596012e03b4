"""Small datasets, healthy or with one defect each: made by the engine, and spoiled on their way to the shards."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import cv2
import numpy as np

from degradekit.codecs import encode
from degradekit.recipe import parse_recipe
from degradekit.shards.commit import commit
from degradekit.shards.dataset import open_dataset
from degradekit.shards.manifest import BuildFacts, finish
from degradekit.storage import open_store
from degradekit.types import Record

RECIPE = """
name: audited
scale: 4
extract: {mode: whole}
target:
  flip: {op: flip, horizontal: 0.5}
degrade:
  blur: {op: gaussian_blur, size_range: 21, sigma_x_range: [0.4, 3]}
  down: {op: resize, relative_to: target, factor_range: 1, mode: [area, matlab_bicubic]}
  noise: {p: 0.9, op: gaussian_noise, sigma_range: [0, 15/255]}
  jpeg: {op: jpeg, quality_range: [50, 98]}
"""
SIDE, SCALE = 128, 4
SHARD, SHARDS = 40, 4


def leaves(seed, side=SIDE):
    """Discs of all sizes that cover each other, with a fine texture: statistics as photographs have them.

    Source: Lee, Mumford, Huang, "Occlusion models for natural images", IJCV 41, 2001 (the dead leaves model).
    """
    rng = np.random.default_rng([seed, 77])
    fine = 2 * side
    image = np.zeros((fine, fine, 3), np.float32)
    radii = np.sort(4 * (1 + rng.pareto(1.2, 200)))[::-1].clip(3, fine / 2)
    light = 0.2 + 0.6 * rng.random()
    for radius in radii:
        centre = tuple(rng.integers(0, fine, 2).tolist())
        grey = np.clip(light + 0.25 * rng.normal(), 0.04, 0.96)
        colour = np.clip(grey + 0.12 * rng.normal(size=3), 0.02, 0.98)
        cv2.circle(image, centre, int(radius), colour.tolist(), -1)
    grain = sum(
        cv2.resize(rng.normal(size=(n, n)).astype(np.float32), (fine, fine), interpolation=cv2.INTER_CUBIC) / (n / 16)
        for n in (16, 32, 64, 128, 256)
    )
    image *= 1 + 0.05 * grain[..., None]
    image = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
    return (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8)


@dataclass(frozen=True)
class Made:
    """A pair before it is stored: what a defect may change."""

    i: int
    hr: np.ndarray
    gt: np.ndarray
    lq: np.ndarray
    key: str
    meta: dict
    plan: object


def recipe_of(text=RECIPE, seed=0):
    return parse_recipe(text, seed=seed)


def make(i, recipe, *, hr=None, key=None, drawn_as=None):
    """One pair as the engine makes it, under the key that its numbers are drawn for."""
    hr = leaves(1000 * recipe.seed + i) if hr is None else hr
    key = key or f"{i:05d}.png#whole"
    pair = recipe.degrade(hr, key=drawn_as or key)
    digest = hashlib.blake2b(hr.tobytes(), digest_size=8).hexdigest()
    meta = {"source": key.partition("#")[0], "source_xxh3": digest, "y": 0, "x": 0, "h": SIDE, "w": SIDE}
    return Made(i, hr, pair.gt, pair.lq, key, meta, pair.plan)


def record_of(made, *, planless=False):
    plan = "" if planless else made.plan.to_json()
    columns = {} if planless else made.plan.columns()
    meta = {} if planless else made.meta
    gt, lq = (
        encode(np.ascontiguousarray(image)[None], "qoi" if image.dtype == np.uint8 else "png")
        for image in (made.gt, made.lq)
    )
    return Record(made.i, made.key, 0, gt, lq, plan, columns, meta)


def store(folder, pairs, recipe, *, planless=False, shard=SHARD, format="parquet"):
    """Commit pairs as a dataset that says it was built by ``recipe``; without plans, as an imported folder."""
    place = open_store(folder)
    schema = {} if planless else recipe.columns()
    pairs = list(pairs)
    for number, first in enumerate(range(0, len(pairs), shard)):
        records = [record_of(made, planless=planless) for made in pairs[first : first + shard]]
        commit(place, number, records, format=format, schema=schema)
    text = "" if planless else RECIPE
    facts = BuildFacts(
        text,
        "" if planless else recipe.digest,
        recipe.seed,
        SCALE,
        format=format,
        codec="qoi",
        shard_size=shard,
        variants=1,
        samples=len(pairs),
        schema=schema,
    )
    finish(place, facts)
    return open_dataset(folder)


def spoiled(pairs, change, which=lambda i: True):
    """The pairs with ``change(made)`` instead of those that ``which`` chooses."""
    return [change(made) if which(made.i) else made for made in pairs]


def half_pixel(made):
    moved = cv2.warpAffine(
        made.lq, np.float32([[1, 0, 0.375], [0, 1, 0.375]]), (32, 32), borderMode=cv2.BORDER_REPLICATE
    )
    return replace(made, lq=moved)


def swapped(made):
    return replace(made, lq=made.lq[..., ::-1])


def gamma(made):
    return replace(made, lq=(np.power(made.lq / 255, 1.1) * 255 + 0.5).astype(np.uint8))


def brightness(made):
    return replace(made, lq=np.clip(made.lq.astype(int) + 4, 0, 255).astype(np.uint8))


def washed(made):
    return replace(made, lq=np.clip(made.lq.astype(int) + 90, 0, 255).astype(np.uint8))


def enlarged(made):
    small = cv2.resize(made.hr, (SIDE // 2, SIDE // 2), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)


def once_jpeg(made):
    data = cv2.imencode(".jpg", made.hr[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 75])[1]
    return np.ascontiguousarray(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1])


def letterboxed(made):
    image = made.hr.copy()
    image[:16] = 0
    image[-16:] = 0
    return image


def reduced(made):
    from degradekit.ops.resample import resize

    small = resize((made.gt / np.float32(255))[None].astype(np.float32), 32, 32, mode="matlab_bicubic")[0]
    return replace(made, lq=(np.clip(small, 0, 1) * 255 + 0.5).astype(np.uint8))


def noisy(sigma):
    def change(made):
        noise = np.random.default_rng(made.i).normal(0, sigma, made.lq.shape)
        return replace(made, lq=np.clip(made.lq + noise, 0, 255).astype(np.uint8))

    return change


def same_noise(made):
    noise = np.random.default_rng(5).normal(0, 12, made.lq.shape)
    return replace(made, lq=np.clip(made.lq + noise, 0, 255).astype(np.uint8))
