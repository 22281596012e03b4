"""What the canonical recipes draw, written from the papers and their published options in their own words and units.

Nothing here is read from a recipe. ``test_published.py`` compares 20,000 plans of each with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

import numpy as np


@dataclass(frozen=True)
class Law:
    """A distribution: atoms with their chances, and the distribution function of the rest."""

    atoms: Mapping[Any, float]
    cdf: Callable[[Any], Any] | None = None


def uniform(low: float, high: float) -> Law:
    return Law({}, lambda x: np.clip((np.asarray(x) - low) / (high - low), 0, 1))


def log_uniform(low: float, high: float) -> Law:
    return Law({}, lambda x: np.clip(np.log(np.asarray(x) / low) / np.log(high / low), 0, 1))


def one_over(low: float, high: float) -> Law:
    """1 / U[low, high]."""
    return Law({}, lambda x: np.clip((high - 1 / np.asarray(x)) / (high - low), 0, 1))


def root_of(high: float) -> Law:
    """The square root of U[0, high]."""
    return Law({}, lambda x: np.clip(np.asarray(x) ** 2 / high, 0, 1))


def mixed(*parts: tuple[float, Law | float]) -> Law:
    atoms = {part: p for p, part in parts if not isinstance(part, Law)}
    rest = [(p, part.cdf) for p, part in parts if isinstance(part, Law)]
    total = sum(p for p, _ in rest)
    return Law(atoms, lambda x: sum(p / total * cdf(x) for p, cdf in rest))  # type: ignore[misc]


def each(*values: Any) -> Law:
    return Law(dict.fromkeys(values, 1 / len(values)))


def rounded(low: int, high: int) -> Law:
    """U[low, high], rounded to whole numbers."""
    inner = 1 / (high - low)
    return Law({k: inner / 2 if k in (low, high) else inner for k in range(low, high + 1)})


def scaled(values: range) -> Law:
    return each(*(value / 255 for value in values))


Table: TypeAlias = dict[str, tuple[float, dict[str, Law | str]]]
"""Step -> how often it is drawn, and the law of each parameter; a word means: equal to that parameter."""

SIZES = each(*range(7, 22, 2))
TURN = uniform(-np.pi, np.pi)
THREE = each("area", "bilinear", "bicubic")
ODDS = {
    "iso": 0.45,
    "aniso": 0.25,
    "generalized_iso": 0.12,
    "generalized_aniso": 0.03,
    "plateau_iso": 0.12,
    "plateau_aniso": 0.03,
}
SINC = 0.1


def generalized(high: float) -> Law:
    return mixed((0.5, uniform(0.5, 1)), (0.5, uniform(1, high)))


def plateau(high: float) -> Law:
    return mixed((0.5, 1), (0.5, uniform(1, high)))


def kernels(
    at: str, high: float, *, p: float = 1, beta_g: Law | None = None, beta_p: Law | None = None, low: float = 0.2
) -> Table:
    """random_mixed_kernels with sinc in a tenth of the cases; sigma U[0.2, high]."""
    sigma = uniform(low, high)
    table: Table = {}
    for name, odds in ODDS.items():
        laws: dict[str, Law | str] = {"size": SIZES, "sigma_x": sigma, "sigma_y": "sigma_x"}
        if name.endswith("aniso"):
            laws |= {"sigma_y": sigma, "rotation": TURN}
        if name.startswith("generalized"):
            laws["beta"] = beta_g or generalized(4)
        if name.startswith("plateau"):
            laws["beta"] = beta_p or plateau(2)
        table[f"{at}:{name}"] = p * (1 - SINC) * odds, laws
    small, large = uniform(np.pi / 3, np.pi), uniform(np.pi / 5, np.pi)
    table[f"{at}:sinc_small"] = p * SINC * 3 / 8, {"size": each(7, 9, 11), "cutoff": small}
    table[f"{at}:sinc_large"] = p * SINC * 5 / 8, {"size": each(13, 15, 17, 19, 21), "cutoff": large}
    return table


def noise(at: str, sigma: float, scale: float, low: float = 1) -> Table:
    grey = Law({"independent": 0.6, "grey": 0.4})
    return {
        f"{at}:gaussian": (0.5, {"sigma": uniform(low / 255, sigma / 255), "correlation": grey}),
        f"{at}:poisson": (0.5, {"scale": uniform(0.05, scale), "grey": Law({True: 0.4, False: 0.6})}),
    }


def resized(up: float, down: float, chances: tuple[float, float, float]) -> Law:
    return mixed((chances[0], uniform(1, up)), (chances[1], uniform(down, 1)), (chances[2], 1.0))


FINAL_SINC: tuple[float, dict[str, Law | str]] = (0.8, {"size": SIZES, "cutoff": uniform(np.pi / 3, np.pi)})
HALF = Law({True: 0.5, False: 0.5})
HFLIP: Table = {"gt/flip": (1, {"horizontal": HALF})}
EIGHT: Table = {"gt/flip": (1, {"horizontal": HALF, "vertical": HALF, "transpose": HALF})}

REAL_ESRGAN: Table = {
    **HFLIP,
    "sharpen": (1, {}),
    **kernels("blur1", 3),
    "resize1": (1, {"of_current": resized(1.5, 0.15, (0.2, 0.7, 0.1)), "mode": THREE}),
    **noise("noise1", 30, 3),
    "jpeg1": (1, {"quality": rounded(30, 95)}),
    **kernels("blur2", 1.5, p=0.8),
    "resize2": (1, {"of_target": resized(1.2, 0.3, (0.3, 0.4, 0.3)), "mode": THREE}),
    **noise("noise2", 25, 2.5),
    "final/shape/resize3": (1, {"of_target": each(1.0), "mode": THREE}),
    "final/shape/sinc": FINAL_SINC,
    "final/jpeg2": (1, {"quality": rounded(30, 95)}),
}
MMAGIC: Table = {
    **REAL_ESRGAN,
    **EIGHT,
    "resize2": (1, {"of_current": resized(1.2, 0.3, (0.3, 0.4, 0.3)), "mode": THREE}),
    "final/jpeg2": (1, {"quality": rounded(5, 50)}),
}
STABLESR: Table = {
    **REAL_ESRGAN,
    "gt/sharpen": (1, {}),
    **kernels("blur1", 1.5, beta_g=generalized(2), beta_p=plateau(1.5)),
    "resize1": (1, {"of_current": resized(1.5, 0.3, (0.2, 0.7, 0.1)), "mode": THREE}),
    **noise("noise1", 15, 2),
    "jpeg1": (1, {"quality": rounded(60, 95)}),
    **kernels("blur2", 1, p=0.5, beta_g=generalized(2), beta_p=plateau(1.5)),
    "resize2": (1, {"of_target": resized(1.2, 0.6, (0.3, 0.4, 0.3)), "mode": THREE}),
    **noise("noise2", 12, 1),
    "final/jpeg2": (1, {"quality": rounded(60, 100)}),
}
del STABLESR["sharpen"]


def faces(down: Law, sigma: float) -> Table:
    blur = uniform(0.1, 10)
    return {
        **HFLIP,
        "blur:iso": (0.5, {"size": each(41), "sigma_x": blur, "sigma_y": "sigma_x"}),
        "blur:aniso": (0.5, {"size": each(41), "sigma_x": blur, "sigma_y": blur, "rotation": TURN}),
        "down": (1, {"of_current": down, "mode": each("bilinear")}),
        "noise": (1, {"sigma": uniform(0, sigma / 255), "correlation": each("independent")}),
        "jpeg": (1, {"quality": rounded(60, 100)}),
        "up": (1, {"of_target": each(1.0), "mode": each("bilinear")}),
    }


CAST = uniform(-20 / 255, 20 / 255)
GFPGAN: Table = {
    **faces(one_over(0.8, 8), 20),
    "cast": (0.3, {"red": CAST, "green": CAST, "blue": CAST}),
    "grey": (0.01, {}),
    "jitter/brightness": (0.3, {"factor": uniform(0.5, 1.5)}),
    "jitter/contrast": (0.3, {"factor": uniform(0.5, 1.5)}),
    "jitter/saturation": (0.3, {"factor": uniform(0, 1.5)}),
    "jitter/hue": (0.3, {"turn": uniform(-0.1, 0.1)}),
}
NO_COLOUR: Table = {**faces(one_over(0.8, 8), 20), "gt/grey": (0.01, {})}
CODEFORMER: Table = faces(one_over(1, 12), 15)

CV2 = each("bilinear", "bicubic", "area")
LEVELS = scaled(range(2, 26))
GREY_OR_NOT = each("independent", "grey")


def bsrgan_blur(at: str, p: float, s: int) -> Table:
    size, variance = each(*range(7, 26, 2)), root_of(4 + s)
    return {
        f"{at}:aniso": (p / 2, {"size": size, "sigma_x": variance, "sigma_y": variance, "rotation": uniform(0, np.pi)}),
        f"{at}:iso": (p / 2, {"size": size, "sigma_x": uniform(0, 2 + 0.2 * s), "sigma_y": "sigma_x"}),
    }


def bsrgan_noise(at: str, p: float) -> Table:
    return {
        f"{at}:plain": (0.8 * p, {"sigma": LEVELS, "correlation": GREY_OR_NOT}),
        f"{at}:correlated": (0.2 * p, {"sigma": each(25 / 255), "correlation": each("full")}),
    }


def bsrgan_mix(at: str, p: float, s: int) -> Table:
    down = f"{at}/down1"
    return {
        **bsrgan_blur(f"{at}/blur1", p, s),
        **bsrgan_blur(f"{at}/blur2", p, s),
        f"{down}:resize": (0.75 * p, {"of_current": one_over(1, 2 * s), "mode": CV2}),
        f"{down}:nearest/blur": (
            0.25 * p,
            {"size": each(25), "sigma": uniform(0.1, 0.6 * s), "shift": each((s - 1) / 2)},
        ),
        f"{down}:nearest/pick": (0.25 * p, {"step": each(s), "offset": each(0)}),
        f"{at}/down2": (p, {"of_target": each(1.0), "mode": CV2}),
        **bsrgan_noise(f"{at}/noise", p),
        f"{at}/jpeg": (0.9 * p, {"quality": each(*range(30, 96))}),
    }


BSRGAN: Table = {
    **EIGHT,
    "stage:halved/halve": (
        0.25,
        {
            "of_current": each(0.5),
            "mode": Law({"matlab_bicubic": 0.5, "bilinear": 1 / 6, "bicubic": 1 / 6, "area": 1 / 6}),
        },
    ),
    **bsrgan_mix("stage:direct/mix", 0.75, 4),
    **bsrgan_mix("stage:halved/mix", 0.25, 2),
    "jpeg": (1, {"quality": each(*range(30, 96))}),
}


def bsrgan_plus_round(blur: str, resize: str, at: Callable[[str], str], p: float) -> Table:
    plain = {"sigma": LEVELS, "correlation": GREY_OR_NOT}
    return {
        **bsrgan_blur(blur, p, 4),
        resize: (p, {"of_current": resized(2, 0.5 / 4, (0.2, 0.7, 0.1)), "mode": CV2}),
        **bsrgan_noise(at("gaussian"), p),
        at("poisson"): (0.1 * p, {"photons": log_uniform(100, 10_000), "grey": HALF}),
        f"{at('speckle')}:plain": (0.08 * p, dict(plain)),
        f"{at('speckle')}:correlated": (0.02 * p, {"sigma": each(25 / 255), "correlation": each("full")}),
    }


@cache
def bsrgan_plus() -> Table:
    table: Table = dict(EIGHT)
    for i in (1, 2):
        a, b = "stage:ordered/", "stage:shuffled/"
        table |= bsrgan_plus_round(f"{a}blur{i}", f"{a}resize{i}", lambda kind: f"{a}mix{i}/{kind}", 0.9)  # noqa: B023
        table |= bsrgan_plus_round(f"{b}blur{i}", f"{b}resize{i}", lambda kind: f"{b}{kind}{i}", 0.1)  # noqa: B023
    quality: dict[str, Law | str] = {"quality": each(*range(30, 96))}
    table |= {"stage:ordered/jpeg": (0.9, quality), "stage:shuffled/jpeg": (0.1, quality), "jpeg": (1, quality)}
    return table | {"down": (1, {"of_target": each(1.0), "mode": CV2})}


VIDEO: tuple[float, dict[str, Law | str]] = (
    1,
    {
        "codec": Law({"h264": 2 / 3, "mpeg4": 1 / 3}),
        "control": each("bitrate"),
        "amount": uniform(10, 100),
        "fps": each(1),
    },
)
REALBASICVSR: Table = {
    **EIGHT,
    "sharpen": (1, {}),
    **kernels("blur1", 3, beta_g=uniform(0.5, 4), beta_p=uniform(1, 2)),
    "resize1": (1, {"of_current": resized(1.5, 0.15, (0.2, 0.7, 0.1)), "mode": THREE}),
    **noise("noise1", 30, 3),
    "jpeg1": (1, {"quality": rounded(30, 95)}),
    "video1": VIDEO,
    **kernels("blur2", 1.5, p=0.8, beta_g=uniform(0.5, 4), beta_p=uniform(1, 2)),
    "resize2": (1, {"of_current": resized(1.2, 0.3, (0.3, 0.4, 0.3)), "mode": THREE}),
    **noise("noise2", 25, 2.5),
    "jpeg2": (1, {"quality": rounded(30, 95)}),
    "final/video2": VIDEO,
    "final/shape/resize3": (1, {"of_target": each(1.0), "mode": THREE}),
    "final/shape/sinc": FINAL_SINC,
}
ANIMESR: Table = {
    **EIGHT,
    "blur:iso": (0.7, {"size": each(21), "sigma_x": uniform(0.2, 4), "sigma_y": "sigma_x"}),
    "blur:aniso": (
        0.3,
        {"size": each(21), "sigma_x": uniform(0.2, 4), "sigma_y": uniform(0.8, 3), "rotation": TURN},
    ),
    "noise": (1, {"sigma": uniform(0, 10 / 255), "correlation": each("independent", "grey")}),
    "down": (1, {"of_target": each(1.0), "mode": Law({"area": 0.3, "bilinear": 0.3, "bicubic": 0.4})}),
    "video": (
        1,
        {
            "codec": each("h264"),
            "amount": uniform(18, 35),
            "profile": Law({"baseline": 0.1, "main": 0.2, "high": 0.7}),
            "fps": each(25),
        },
    ),
}
WORK = Law({"slow": 0.05, "medium": 0.35, "fast": 0.3, "faster": 0.2, "superfast": 0.1})
Q = each(*range(20, 96))
APISR: Table = {
    **EIGHT,
    **kernels("stage1/blur", 3),
    "stage1/resize": (1, {"of_current": resized(1.2, 0.1, (0.2, 0.7, 0.1)), "mode": THREE}),
    **noise("stage1/noise", 30, 3),
    "codec1:jpeg": (0.4, {"quality": Q}),
    "codec1:webp": (0.6, {"quality": Q, "method": each(*range(7))}),
    **kernels("stage2/blur", 1.5, p=0.8),
    "stage2/resize": (1, {"of_target": resized(1.2, 0.15, (0.2, 0.7, 0.1)), "mode": THREE}),
    **noise("stage2/noise", 25, 2.5),
    "down": (1, {"of_target": each(1.0), "mode": THREE}),
    "codec2:jpeg": (0.06, {"quality": Q}),
    "codec2:webp": (0.1, {"quality": Q, "method": each(*range(7))}),
    "codec2:avif": (0.1, {"quality": Q}),
    "codec2:mpeg2": (0.12, {"codec": each("mpeg2"), "amount": each(*range(8, 32))}),
    "codec2:mpeg4": (0.12, {"codec": each("mpeg4"), "amount": each(*range(8, 32))}),
    "codec2:h264": (0.3, {"codec": each("h264"), "amount": each(*range(23, 39)), "preset": WORK}),
    "codec2:hevc": (0.2, {"codec": each("hevc"), "amount": each(*range(28, 43)), "preset": WORK}),
}

TABLES: dict[str, Table] = {
    "real_esrgan": REAL_ESRGAN,
    "mmagic_real_esrgan": MMAGIC,
    "stablesr": STABLESR,
    "gfpgan": GFPGAN,
    "gfpgan_no_colour": NO_COLOUR,
    "codeformer": CODEFORMER,
    "bsrgan": BSRGAN,
    "bsrgan_plus": bsrgan_plus(),
    "realbasicvsr": REALBASICVSR,
    "animesr": ANIMESR,
    "apisr": APISR,
}
