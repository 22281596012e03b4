"""How fast are the networks here beside the same ones in basicsr, on one core, and how much memory do they take?

Both sides hold the same weights and see the same input; what they return is compared. They are processes of their own,
pinned to one core, and run in turn, so that slow phases of the machine fall on both; ratios are taken round by round.

    python benchmarks/engine.py --setup-peers   # once: makes .venv-peers
    python benchmarks/models.py --save          # about four minutes
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from children import ONE_THREAD
from engine import PEERS_ENVIRONMENT, machine
from peers.networks import INPUTS

HERE = Path(__file__).parent
SIDES = ("ours", "basicsr")
OFFERED = {
    "channels_last": ("rrdbnet_x4_anime6b", "srvgg_animevideov3", "msrresnet_x4"),
    "compile": ("rrdbnet_x4_anime6b", "srvgg_animevideov3"),
}
TOLERANCE = 1e-4
"""Largest difference of the results, relative to their largest value."""


class Side:
    """One child process."""

    def __init__(self, name: str, core: int) -> None:
        python = Path(sys.executable) if name == "ours" else PEERS_ENVIRONMENT / "bin" / "python"
        if not python.exists():
            raise SystemExit(f"there is no {PEERS_ENVIRONMENT.name}: run benchmarks/engine.py --setup-peers first")
        paths = os.pathsep.join((str(HERE.parent / "models"), os.environ.get("PYTHONPATH", "")))
        environment = {**os.environ, **dict.fromkeys(ONE_THREAD, "1"), "PYTHONPATH": paths}
        self._process = subprocess.Popen(
            [str(python), "-W", "ignore", str(HERE / "peers" / "networks.py"), name, str(core)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self.versions = self._answer()

    def run(self, row: str, *, calls: int, options: tuple[str, ...] = (), drop: bool = False) -> dict[str, Any]:
        """Time some calls; none measures memory."""
        assert self._process.stdin is not None
        request = {"row": row, "calls": calls, "options": options, "drop": drop}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=60)

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("a side ended: see its message above")
        return dict(json.loads(line))


def calls_for(side: Side, row: str, seconds: float) -> int:
    """How many calls fill some seconds."""
    return max(1, min(50, round(seconds / side.run(row, calls=1)["cpu"])))


def compare(sides: dict[str, Side], row: str, rounds: int, seconds: float) -> dict[str, Any]:
    """Both sides in turn; the order changes from round to round."""
    calls = calls_for(sides["ours"], row, seconds)
    answers: dict[str, list[dict[str, Any]]] = {name: [] for name in SIDES}
    for i in range(rounds):
        for name in SIDES if i % 2 == 0 else SIDES[::-1]:
            answers[name].append(sides[name].run(row, calls=calls))
    peak = {name: side.run(row, calls=0, drop=True)["peak"] for name, side in sides.items()}
    ours, theirs = answers["ours"], answers["basicsr"]
    a, b = ours[0]["sample"], theirs[0]["sample"]
    difference = max(abs(x - y) for x, y in zip(a, b, strict=True)) / max(map(abs, b))
    if not difference <= TOLERANCE:
        raise SystemExit(f"{row}: the results differ by {difference:.1e}; there is nothing to compare")
    ratios = [x["cpu"] / y["cpu"] for x, y in zip(ours, theirs, strict=True)]
    return {
        "network": row,
        "input": INPUTS[row][0],
        "calls": calls,
        "ms": {name: 1e3 * statistics.median(x["cpu"] for x in answers[name]) for name in SIDES},
        "time_ratio": statistics.median(ratios),
        "time_ratio_range": [min(ratios), max(ratios)],
        "peak_mib": peak,
        "difference": difference,
    }


def offered(side: Side, rounds: int, seconds: float) -> list[dict[str, Any]]:
    """What the command line's --channels-last and --compile do to the time of a forward pass."""
    lines = []
    for option, rows in OFFERED.items():
        for row in rows:
            calls = calls_for(side, row, seconds)
            ratios = []
            for _ in range(rounds):
                plain = side.run(row, calls=calls)
                ratios.append(side.run(row, calls=calls, options=(option,))["cpu"] / plain["cpu"])
            lines.append({"network": row, "option": option, "time_ratio": statistics.median(ratios)})
            print(f"{row}, {option}: {lines[-1]['time_ratio']:.3f}", file=sys.stderr)
    return lines


def markdown(result: dict[str, Any]) -> str:
    cpu, settings = result["machine"], result["settings"]
    lines = [
        "# Networks beside basicsr\n",
        "Written by `benchmarks/models.py`; CPU time and memory of one forward pass, float32, one thread. A ratio "
        "below 1 means that ours is faster. Memory is the most that tensors take during a pass, weights and input "
        "aside.\n",
        f"Machine: {cpu['cpu']}, one core of {cpu['cores']}; torch {result['versions']['ours']['torch']} on both "
        f"sides; {settings['rounds']} rounds in turn, medians.\n",
        "| network | input | ours ms | basicsr ms | time ratio (range) | ours MiB | basicsr MiB | difference |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for row in result["rows"]:
        low, high = row["time_ratio_range"]
        size = " x ".join(map(str, row["input"]))
        lines.append(
            f"| {row['network']} | {size} | {row['ms']['ours']:.1f} | {row['ms']['basicsr']:.1f} | "
            f"{row['time_ratio']:.3f} ({low:.2f}..{high:.2f}) | {row['peak_mib']['ours']:.1f} | "
            f"{row['peak_mib']['basicsr']:.1f} | {row['difference']:.0e} |"
        )
    lines += [
        "\nTime with what `restore` offers, over time without, ours alone:\n",
        "| network | option | time ratio |",
    ]
    lines += ["|---|---|---:|"]
    lines += [f"| {row['network']} | {row['option']} | {row['time_ratio']:.3f} |" for row in result["offered"]]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="how often both sides run in turn (default: 5)")
    parser.add_argument("--seconds", type=float, default=1.0, help="CPU seconds of a side in a round (default: 1)")
    parser.add_argument("--core", type=int, default=max(os.sched_getaffinity(0)), help="core that both sides share")
    parser.add_argument("--rows", nargs="*", default=list(INPUTS), choices=list(INPUTS), help="networks (default: all)")
    parser.add_argument("--no-offered", action="store_true", help="leave out channels_last and torch.compile")
    parser.add_argument("--save", action="store_true", help="write results/models.json and results/models.md")
    args = parser.parse_args()
    sides = {name: Side(name, args.core) for name in SIDES}
    try:
        rows = []
        for row in args.rows:
            rows.append(compare(sides, row, args.rounds, args.seconds))
            print(f"{row}: {rows[-1]['time_ratio']:.3f}", file=sys.stderr)
        extra = [] if args.no_offered else offered(sides["ours"], max(args.rounds // 2, 1), args.seconds)
    finally:
        for side in sides.values():
            side.close()
    result = {
        "machine": machine(),
        "settings": {"rounds": args.rounds, "seconds": args.seconds},
        "versions": {name: side.versions for name, side in sides.items()},
        "rows": rows,
        "offered": extra,
    }
    table = markdown(result)
    if args.save:
        (HERE / "results" / "models.json").write_text(json.dumps(result, indent=1) + "\n")
        (HERE / "results" / "models.md").write_text(table)
    print(table)


if __name__ == "__main__":
    main()
