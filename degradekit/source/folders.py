"""Walking a folder tree: every directory once, links last, nothing dropped without being counted."""

from __future__ import annotations

import errno
import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from degradekit.errors import SourceError

__all__ = ["IMAGE_SUFFIXES", "VIDEO_SUFFIXES", "Walk", "has_suffix", "matches", "unwanted"]

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".avif")
VIDEO_SUFFIXES = (
    ".mp4",
    ".mkv",
    ".mov",
    ".webm",
    ".avi",
    ".m4v",
    ".mpg",
    ".mpeg",
    ".ts",
    ".m2ts",
    ".wmv",
    ".flv",
    ".y4m",
)


def has_suffix(name: str, suffixes: tuple[str, ...]) -> bool:
    """Whether a name ends like an image or video, in upper or lower case."""
    return name.lower().endswith(suffixes)


def unwanted(name: str, suffixes: tuple[str, ...]) -> str | None:
    """Why a name is passed over when these suffixes are listed, or None."""
    if has_suffix(name, suffixes):
        return None
    return "video without extract.clip" if has_suffix(name, VIDEO_SUFFIXES) else "no image suffix"


@dataclass
class Walk:
    """One pass over a folder tree.

    Linked folders are visited after all real ones and only where the folder they lead to was not visited yet, so a
    link neither loops nor renames an image that has a path of its own.

    Args:
        root: The folder.
        depth: Levels of subfolders to enter; None for all.
        wanted: Whether a path relative to the root (forward slashes) is asked for.
        ignored: Filled by the pass: reason -> how many names were passed over.
        suffixes: Of the names that are asked for.
    """

    root: str
    depth: int | None = None
    wanted: Callable[[str], bool] = lambda relative: True
    ignored: Counter[str] = field(default_factory=Counter)
    suffixes: tuple[str, ...] = IMAGE_SUFFIXES
    _seen: set[tuple[int, int]] = field(default_factory=set)
    _links: list[str] = field(default_factory=list)

    def __iter__(self) -> Iterator[str]:
        """Yield the paths of the files relative to the root, in no particular order.

        Raises:
            SourceError: A folder cannot be listed, or a name is no valid text.
        """
        yield from self._tree("")
        while self._links:
            # One round at a time, by name, so that which of two links counts does not depend on the disk's order.
            links, self._links = sorted(self._links), []
            for link in links:
                yield from self._tree(link)

    def _tree(self, start: str) -> Iterator[str]:
        stack = [start]
        while stack:
            folder = stack.pop()
            try:
                yield from self._folder(folder, stack)
            except OSError as error:
                raise SourceError(
                    f"{self.root}/{folder} cannot be listed ({error.strerror}); "
                    "allow this user to read it, or move it elsewhere"
                ) from error

    def _folder(self, folder: str, stack: list[str]) -> Iterator[str]:
        path = Path(self.root, folder)
        status = path.stat()
        if (status.st_dev, status.st_ino) in self._seen:
            self.ignored["folder visited by another path"] += 1
            return
        self._seen.add((status.st_dev, status.st_ino))
        prefix = f"{folder}/" if folder else ""
        descend = self.depth is None or prefix.count("/") < self.depth
        with os.scandir(path) as entries:
            for entry in entries:
                relative = prefix + entry.name
                if entry.name.startswith("."):
                    self.ignored["hidden"] += 1
                elif _leads_to(entry.is_dir):
                    if descend:
                        (self._links if entry.is_symlink() else stack).append(relative)
                elif self._is_asked_for(entry, relative):
                    yield relative

    def _is_asked_for(self, entry: os.DirEntry[str], relative: str) -> bool:
        reason = unwanted(entry.name, self.suffixes)
        if reason is None and not _leads_to(entry.is_file):
            reason = "broken link" if entry.is_symlink() else "not a file"
        if reason is None and not self.wanted(relative):
            reason = "does not match"
        if reason is not None:
            self.ignored[reason] += 1
        return reason is None


def _leads_to(kind: Callable[[], bool]) -> bool:
    """Whether an entry is of a kind, links followed; a link that leads round to itself is of none."""
    try:
        return kind()
    except OSError as error:
        if error.errno == errno.ELOOP:
            return False
        raise


def matches(parts: list[str], pattern: list[str]) -> bool:
    """Whether the components of a path match those of a glob pattern; ``**`` stands for any number of folders.

    Example:
        >>> matches(["a", "b", "c.png"], ["**", "*.png"]), matches(["a", "c.png"], ["*.png"])
        (True, False)
    """
    if not pattern:
        return not parts
    if pattern[0] == "**":
        return matches(parts, pattern[1:]) or (bool(parts) and matches(parts[1:], pattern))
    return bool(parts) and fnmatchcase(parts[0], pattern[0]) and matches(parts[1:], pattern[1:])
