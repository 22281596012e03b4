"""The result of ``engine.py`` as Markdown."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

__all__ = ["grid", "markdown", "spread"]

TITLES = {
    "degradekit": "**degradekit**",
    "realesrgan": "Real-ESRGAN (basicsr + realesrgan)",
    "albumentations": "albumentations composition",
    "kornia": "kornia composition",
    "hand": "by hand: numpy, OpenCV, simplejpeg",
    "bsrgan": "BSRGAN's steps, written anew with SciPy",
    "gfpgan": "GFPGAN's steps with basicsr's functions",
}
OTHERS = {
    "bsrgan": (
        "BSRGAN x4, 400 -> 100 px",
        "The published code itself, measured earlier on one core of another machine (AMD EPYC, Zen 4): 7.3 pairs/s.",
    ),
    "gfpgan": (
        "GFPGAN, 512 -> 512 px",
        "The published dataset, with its tensors and normalisation, measured earlier on that machine: 26 pairs/s.",
    ),
    "realbasicvsr": (
        "RealBasicVSR x4, clips of 15 frames, 256 -> 64 px",
        "Pairs are clips. The published pipeline needs packages that cannot be installed here; measured earlier on "
        "that machine: 1.6 clips/s of 15 frames, 0.82 mirrored to 30 as in its training.",
    ),
}


def markdown(result: dict[str, Any]) -> str:
    machine, pool = result["machine"], result["pool"]
    parts = [
        "# Engine benchmark\n",
        f"{result['question']}. Written by `benchmarks/engine.py`; how to read it is in [the README](../README.md).\n",
        f"Machine: {machine['cpu']} (family/model {machine['family_model']}, cache {machine['cache']}, "
        f"{', '.join(machine['vectors'])}{', virtual' if machine['virtual'] else ''}), one core of {machine['cores']}; "
        f"Python {machine['python']}. {result['settings']['rounds']} rounds of all rows in turn, {pool['crops']} crops "
        f"of mean level {pool['mean_level']:.0f}.\n",
    ]
    parts += [_versions(result), _pairs(result["rows"])]
    parts += [f"- {TITLES[peer]}: {reason}" for peer, reason in result["missing"].items()]
    if "yardstick" in result:
        parts.append(_yardstick(result["yardstick"]))
    if result["steps"]:
        parts.append(_steps(result["steps"]))
    if result.get("floors"):
        parts.append(_floors(result["floors"]))
    return "\n".join(parts)


def _versions(result: dict[str, Any]) -> str:
    lines = []
    for peer, versions in result["versions"].items():
        named = ", ".join(f"{name} {version}" for name, version in versions.items())
        lines.append(f"- {TITLES[peer]}: {named}")
    return "\n".join([*lines, ""])


def _pairs(rows: list[dict[str, Any]]) -> str:
    head = ("median [min, max] of the rounds", "pairs/s", "ms/pair", "times slower", "pairs", "core share")
    titles = {("real_esrgan", usm): (f"{'With' if usm else 'Without'} unsharp mask", "") for usm in (True, False)}
    titles |= {(row["recipe"], row["usm"]): OTHERS[row["recipe"]] for row in rows if row["recipe"] in OTHERS}
    parts = []
    measured = {(row["recipe"], row["usm"]) for row in rows}
    for (recipe, usm), (title, note) in titles.items():
        if (recipe, usm) not in measured:
            continue
        body = [
            (
                _title(row),
                f"{row['pairs_per_s']:.1f}",
                spread(row["ms_per_pair"]),
                spread(row["times_slower"], "x") if "times_slower" in row else "",
                str(row["pairs"]),
                f"{row['core_share']:.0%}",
            )
            for row in rows
            if row["usm"] is usm and row["recipe"] == recipe
        ]
        parts += [f"## {title}\n", *([f"{note}\n"] if note else []), grid(head, body)]
    return "\n".join(parts)


def _yardstick(yardstick: dict[str, Any]) -> str:
    multiples = [
        f"- a {name}: {spread(value, 'x')} of it" for name, value in yardstick.items() if name.startswith("pair")
    ]
    return "\n".join(
        [
            "## A yardstick that goes with the machine\n",
            f"{yardstick['what']}: {spread(yardstick['ms'])} ms.\n",
            *multiples,
            "",
        ]
    )


def _steps(steps: list[dict[str, Any]]) -> str:
    head = ("step", "of pairs", "ms/pair", "ms/call", "library call, ms", "ours / library: mean [min, max]")
    body = []
    for step in steps:
        ratio = step.get("ratio")
        body.append(
            (
                step["step"],
                f"{step['share_of_pairs']:.0%}",
                f"{step['ms_per_pair']:.3f}",
                f"{step['ms_per_call']:.3f}",
                f"{step['library_ms_per_call']:.3f}" if ratio else "",
                f"{ratio['mean']:.2f} [{ratio['min']:.2f}, {ratio['max']:.2f}]" if ratio else "",
            )
        )
    total = sum(step["ms_per_pair"] for step in steps)
    return "\n".join(["## Where a pair's time goes\n", grid(head, body), f"Sum: {total:.2f} ms a pair.\n"])


def _floors(rows: list[dict[str, Any]]) -> str:
    head = ("step", "ms/pair", "floor, ms", "times the floor", "why, where above 1.5")
    body = [
        (row["step"], f"{row['ms_per_pair']:.3f}", f"{row['floor_ms']:.3f}", _digits(row["ratio"]), row.get("why", ""))
        for row in rows
    ]
    ours, floor = (sum(row[key] for row in rows) for key in ("ms_per_pair", "floor_ms"))
    return "\n".join(
        [
            "## How far from the floor\n",
            "The floors are those of compiled AVX-512 float32 kernels, measured elsewhere and scaled by the yardstick "
            "(`benchmarks/floor.py`).\n",
            grid(head, body),
            f"Sum: {ours:.2f} ms of {floor:.2f} ms.\n",
        ]
    )


def _title(row: dict[str, Any]) -> str:
    batch = row["name"].removesuffix(", no USM")
    return TITLES[row["peer"]] + (f", {batch}" if batch.startswith("batch") else "")


def spread(value: dict[str, float], unit: str = "") -> str:
    low, middle, high = (_digits(value[key]) for key in ("min", "median", "max"))
    return f"{middle}{unit} [{low}, {high}]"


def _digits(value: float) -> str:
    digits = 0 if value >= 100 else 1 if value >= 10 else 2 if value >= 0.1 else 3
    return f"{value:.{digits}f}"


def grid(head: Iterable[str], body: Iterable[Iterable[str]]) -> str:
    heads = list(head)
    lines = [heads, ["---"] * len(heads), *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
