"""Fetching published weight files, when asked to, and only whole and verified ones.

Files lie in one folder: ``DEGRADEKIT_MODELS`` of the environment, or ``~/.cache/degradekit-models``. What was put there
by hand counts as downloaded.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any
from urllib.request import urlopen

from degradekit_models.errors import ModelError
from degradekit_models.whole import written_whole
from degradekit_models.zoo import Weights, find_weights

__all__ = ["default_folder", "download", "find_model", "verify"]

CHUNK = 1 << 20


def default_folder() -> Path:
    """Where weight files are kept.

    Example:
        >>> default_folder().name != ""
        True
    """
    named = os.environ.get("DEGRADEKIT_MODELS")
    return Path(named) if named else Path.home() / ".cache" / "degradekit-models"


def find_model(model: str, *, fetch: bool = False, folder: Path | None = None) -> Path:
    """Finds the file that ``--model`` means: a file, or the name of a published one that is in the folder.

    Args:
        model: path or name.
        fetch: download a published file that is not there.
        folder: where published files are kept; None is `default_folder`.

    Raises:
        ModelError: there is no such file or name, or the named file is not there and `fetch` is off.
    """
    path = Path(model)
    if path.is_file():
        return path
    if path.suffix and path.parent != Path():
        raise ModelError(f"{model}: there is no such file.")
    weights = find_weights(model)
    kept = (folder or default_folder()) / weights.file
    if kept.is_file():
        return kept
    if fetch:
        return download(weights, folder=folder)
    raise ModelError(
        f"{model} is not in {kept.parent}; fetch it with `degradekit-models download {weights.name}`, or give a file."
    )


def download(
    weights: Weights,
    *,
    folder: Path | None = None,
    unverified: bool = False,
    opener: Callable[[str], Any] = urlopen,
    advance: Callable[[int], object] = lambda count: None,
) -> Path:
    """Downloads a published file and checks its digest; a file that is there already is checked and kept.

    Args:
        weights: which.
        folder: where to; None is `default_folder`.
        unverified: accept a file of which no digest is known.
        opener: opens the URL for reading.
        advance: called with the number of bytes of every piece.

    Raises:
        ModelError: there is no address, no digest is known, the file is another one, or the transfer failed.
    """
    path = (folder or default_folder()) / weights.file
    if weights.sha256 is None and not unverified:
        raise ModelError(
            f"{weights.name}: no digest of this file is known, so it cannot be verified; "
            "accept it as it comes with --no-verify."
        )
    if path.is_file():
        verify(path, weights)
        return path
    if weights.url is None:
        raise ModelError(
            f"{weights.name}: is published in a folder for browsers only; fetch {weights.file} there and put it into "
            f"{path.parent}."
        )
    if not weights.url.startswith("https://"):
        raise ModelError(f"{weights.url}: is not fetched; only https is.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path) as part:
            with opener(weights.url) as source, part.open("wb") as target:
                _copy(source, target, advance)
            verify(part, weights)
    except OSError as error:
        raise ModelError(f"{weights.url} -> {path}: {error}.") from None
    return path


def verify(path: Path, weights: Weights) -> bool:
    """Checks the digest of a file; False if none is known.

    Raises:
        ModelError: the file is another one.
    """
    if weights.sha256 is None:
        return False
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(CHUNK):
            digest.update(piece)
    if not digest.hexdigest().startswith(weights.sha256):
        raise ModelError(
            f"{path}: is not the published {weights.file}: SHA-256 {digest.hexdigest()[:16]}..., "
            f"expected {weights.sha256[:16]}{'...' if len(weights.sha256) > 16 else ''}; delete it and try again."
        )
    return True


def _copy(source: IO[bytes], target: IO[bytes], advance: Callable[[int], object]) -> None:
    while piece := source.read(CHUNK):
        target.write(piece)
        advance(len(piece))
