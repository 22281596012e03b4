"""``python -m degradekit_models``: the command line without its script."""

from degradekit_models.cli import script

if __name__ == "__main__":
    script()
