"""The command line: one file per verb; a verb imports what it needs when it runs, so ``--help`` is immediate.

Exit codes: 0 ok, 1 findings (failed pairs, damaged records, lint errors), 2 usage or recipe error, 3 dataset
unreadable, 130 interrupted.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from degradekit.cli import (
    audit,
    build,
    doctor,
    explain,
    export,
    import_,
    inspect,
    preview,
    recipe,
    repair,
    replay,
    sheet,
    verify,
)
from degradekit.errors import DegradekitError, ShardError

__all__ = ["VERBS", "main", "make_parser"]

VERBS = {
    "build": build,
    "verify": verify,
    "audit": audit,
    "repair": repair,
    "replay": replay,
    "inspect": inspect,
    "sheet": sheet,
    "export": export,
    "import": import_,
    "preview": preview,
    "explain": explain,
    "recipe": recipe,
    "doctor": doctor,
}


def make_parser() -> argparse.ArgumentParser:
    """The parser with every verb."""
    parser = argparse.ArgumentParser(
        prog="degradekit",
        description="Synthetic degradation data engine: photographs and a recipe in, replayable pairs out.",
    )
    parser.add_argument("--version", action="store_true", help="print the version and stop")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB")
    for name, module in VERBS.items():
        summary = (module.__doc__ or "").splitlines()[0]
        module.add_arguments(verbs.add_parser(name, help=summary, description=summary))
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; every error raised on purpose becomes one sentence on stderr."""
    parser = make_parser()
    args = parser.parse_args(argv)
    if args.version:
        import degradekit

        print(degradekit.__version__)
        return 0
    if args.verb is None:
        parser.print_help()
        return 2
    try:
        return int(VERBS[args.verb].run(args))
    except ShardError as error:
        print(f"degradekit: {error}", file=sys.stderr)
        return 3
    except DegradekitError as error:
        print(f"degradekit: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("degradekit: interrupted; what was committed is kept", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of our output went away (`| head`): nothing is wrong, and there is nobody to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def script() -> None:
    """Entry point of the ``degradekit`` command."""
    sys.exit(main())
