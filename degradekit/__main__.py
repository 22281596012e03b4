"""``python -m degradekit``: the command line without its script."""

from degradekit.cli import script

if __name__ == "__main__":
    script()
