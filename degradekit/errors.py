"""Every error that degradekit raises on purpose.

A message says, in one sentence, what was wrong, where, the value, and the remedy.
"""

__all__ = ["BuildError", "DegradekitError", "OpError", "RecipeError", "ShardError", "SourceError", "StreamError"]


class DegradekitError(Exception):
    """Base of all errors raised on purpose; the command line prints it without a traceback."""


class RecipeError(DegradekitError):
    """A recipe cannot be read, is invalid, or cannot produce an LQ of size GT / scale."""


class OpError(DegradekitError):
    """A fully determined operation cannot be applied to the given image, or its version is unknown."""


class SourceError(DegradekitError):
    """A source image, listing or extraction request cannot be used."""


class BuildError(DegradekitError):
    """A build cannot start, or go on, as it was asked for."""


class ShardError(DegradekitError):
    """A shard, manifest or dataset folder is damaged, foreign or in the way."""


class StreamError(DegradekitError):
    """A dataset cannot be streamed as asked."""
