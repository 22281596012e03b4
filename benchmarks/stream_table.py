"""The result of ``stream.py`` as Markdown."""

from __future__ import annotations

from typing import Any

from table import grid, spread

__all__ = ["markdown"]

TITLES = {
    "degradekit": "**degradekit**",
    "lmdb": "LMDB as BasicSR reads it",
    "mosaic": "MosaicML Streaming",
    "litdata": "litData",
    "webdataset": "WebDataset",
    "huggingface": "Hugging Face datasets",
}


def markdown(result: dict[str, Any]) -> str:
    machine, settings = result["machine"], result["settings"]
    parts = [
        "# Streaming benchmark\n",
        f"{result['question']}. Written by `benchmarks/stream.py`; how to read it is in [the README](../README.md).\n",
        f"Machine: {machine['cpu']} (family/model {machine['family_model']}, cache {machine['cache']}"
        f"{', virtual' if machine['virtual'] else ''}), one core of {machine['cores']}; Python {machine['python']}. "
        f"{settings['rounds']} rounds of {settings['pairs']} pairs for each row, all rows in turn.\n",
    ]
    for peer, versions in result["versions"].items():
        parts.append(f"- {TITLES[peer]}: {', '.join(f'{name} {version}' for name, version in versions.items())}")
    parts += [f"- {TITLES[peer]}: {reason}" for peer, reason in result["missing"].items()]
    rows = result["rows"]
    decoded = [row for row in rows if not row["row"].startswith("bytes")]
    parts += ["\n## Decoded pairs\n", _table(decoded, ratio=True)]
    parts += ["## Bytes only\n", _table([row for row in rows if row not in decoded], ratio=False)]
    if result["limits"]:
        parts.append(_limits(result["limits"]))
    return "\n".join(parts)


def _table(rows: list[dict[str, Any]], *, ratio: bool) -> str:
    head = ["", "pairs/s", "ms/pair", "kB/pair on disk", "private memory, MB", "core share"]
    body = []
    for row in rows:
        line = [
            f"{TITLES[row['peer']]}, {row['row']}",
            f"{row['pairs_per_s']:.0f}",
            spread(row["ms_per_pair"]),
            f"{row['kb_per_pair']:.1f}",
            f"{row['anonymous_mb']:.0f}",
            f"{row['core_share']:.0%}",
        ]
        if ratio:
            line.insert(3, spread(row["times_the_fastest_peer"], "x") if "times_the_fastest_peer" in row else "")
        body.append(line)
    return grid([*head[:3], "times the fastest peer", *head[3:]] if ratio else head, body)


def _limits(limits: dict[str, Any]) -> str:
    first, memory = limits["first_batch"], limits["memory"]
    opening = ", ".join(f"{item['samples']} samples: {item['ms']:.1f} ms" for item in limits["opening"])
    megabytes = ", ".join(f"{value:.0f}" for value in memory["mb"])
    return "\n".join(
        [
            "## Limits\n",
            f"- First batch from {first['shards']} local shards in a new process: {first['cpu_s']:.2f} CPU seconds "
            f"({first['wall_s']:.2f} s on the clock), after {first['import_cpu_s']:.2f} of start and import.",
            f"- Opening a dataset of {limits['opening'][0]['shards']} shards: {opening}.",
            f"- Private memory in MB at each tenth of {memory['pairs']} pairs ({memory['stored']} stored): "
            f"{megabytes}.\n",
        ]
    )
