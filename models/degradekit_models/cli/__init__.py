"""The command line: one file per verb; a verb imports what it needs when it runs, so ``--help`` is immediate.

Exit codes: 0 ok, 1 findings (files that failed, numbers that differ), 2 usage error or a file that cannot be used, 130
interrupted.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec

from degradekit_models.cli import download, evaluate, export, interpolate, restore, train, zoo
from degradekit_models.errors import ModelError

__all__ = ["VERBS", "main", "make_parser"]

VERBS = {
    "restore": restore,
    "train": train,
    "interpolate": interpolate,
    "list": zoo,
    "export": export,
    "eval": evaluate,
    "download": download,
}


def make_parser() -> argparse.ArgumentParser:
    """The parser with every verb."""
    parser = argparse.ArgumentParser(
        prog="degradekit-models",
        description="Restoration networks: weights in, restored pictures and videos out; and training.",
    )
    verbs = parser.add_subparsers(dest="verb", metavar="VERB")
    for name, module in VERBS.items():
        summary = (module.__doc__ or "").splitlines()[0]
        module.add_arguments(verbs.add_parser(name, help=summary, description=summary))
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; every error raised on purpose becomes one sentence on stderr."""
    parser = make_parser()
    args = parser.parse_args(argv)
    if args.verb is None:
        parser.print_help()
        return 2
    try:
        return int(VERBS[args.verb].run(args))
    except ModelError as error:
        print(f"degradekit-models: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("degradekit-models: interrupted; finished files are kept", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of our output went away (`| head`): nothing is wrong, and there is nobody to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def script() -> None:
    """Entry point of the ``degradekit-models`` command."""
    if find_spec("torch") is None:
        print("degradekit-models: needs PyTorch: pip install 'degradekit[models]'", file=sys.stderr)
        sys.exit(2)
    sys.exit(main())
