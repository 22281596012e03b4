"""Randomness keyed by name: the key says which sample, the counter says which decision and which element.

One primitive, Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3",
SC 2011):

    key     (64 bit)  = blake2b(seed, variant, sample key)
    counter (128 bit) = [block index (64 bit) | blake2b(node path + "." + parameter) (64 bit)]

A number therefore depends on nothing but the seed, the sample and the name of the decision: adding an op, a
source image or a worker moves no other draw. Scalars are drawn here; whole planes of noise with the same words are
in :mod:`degradekit.fields`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from hashlib import blake2b

__all__ = ["Draws", "hash64", "philox4x32", "sample_key"]

_MASK = 0xFFFFFFFF


def philox4x32(counter: tuple[int, int, int, int], key: tuple[int, int]) -> tuple[int, int, int, int]:
    """Encrypt one 128-bit counter into four random words with ten rounds of Philox4x32.

    Args:
        counter: Four words, each 0..2^32-1, least significant first.
        key: Two words, each 0..2^32-1.

    Returns:
        Four words, each uniform on 0..2^32-1.

    Source: Salmon et al. 2011, section 3.3; known-answer vectors of Random123.

    Example:
        >>> [f"{word:08x}" for word in philox4x32((0, 0, 0, 0), (0, 0))]
        ['6627e8d5', 'e169c58d', 'bc57ac4c', '9b00dbd8']
    """
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        even = 0xD2511F53 * c0
        odd = 0xCD9E8D57 * c2
        c0 = odd >> 32 ^ c1 ^ k0
        c1 = odd & _MASK
        c2 = even >> 32 ^ c3 ^ k1
        c3 = even & _MASK
        k0 = (k0 + 0x9E3779B9) & _MASK
        k1 = (k1 + 0xBB67AE85) & _MASK
    return c0, c1, c2, c3


def hash64(text: str) -> int:
    """Hash a text to 64 bits, the same on every machine (blake2b, little-endian).

    Example:
        >>> f"{hash64('blur1.sigma'):016x}"
        'ca5d60d6ca87ce15'
    """
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")


def sample_key(seed: int, key: str, variant: int | None) -> int:
    """Philox key of one sample.

    Args:
        seed: Seed of the recipe, any integer.
        key: Name of the sample (path of the source and its crop).
        variant: Which LQ of the sample, or None for draws that all variants share (the GT).

    Returns:
        64 bits; the whole text ``seed:variant:key`` decides, so no two samples share a key by construction.

    Example:
        >>> sample_key(0, "cat.png", 0) == sample_key(0, "cat.png", None)
        False
    """
    return hash64(f"{seed}:{'' if variant is None else variant}:{key}")


@lru_cache(maxsize=4096)
def _stream(path: str, name: str) -> int:
    # Cached because the decisions of a recipe are the same for every sample: 1.2 of 8 us a draw.
    return hash64(f"{path}.{name}")


@cache
def _compiled() -> Callable[[int, int, int], int]:
    # Loaded with the first number: who only hashes names, as a reader of datasets does, needs no compiler.
    from degradekit.philox import first_words

    return first_words


@dataclass(frozen=True, slots=True)
class Draws:
    """Named numbers of one sample; drawing has no state, so order and repetition do not matter.

    Args:
        key: From :func:`sample_key`.
        path: Path of the recipe node whose parameters are drawn.
        cuts: Frames of a clip with which a new scene begins, rising, none of them 0.

    Example:
        >>> u = Draws(sample_key(0, "cat.png", 0), "degrade.noise1")
        >>> u.uniform("sigma") == u.uniform("sigma")
        True
        >>> u.uniform("sigma") == u.at("degrade.noise2").uniform("sigma")
        False
    """

    key: int
    path: str = ""
    cuts: tuple[int, ...] = ()

    def at(self, path: str) -> Draws:
        """The same sample at another node; ``path`` is absolute and replaces this one."""
        return Draws(self.key, path, self.cuts)

    def uniform(self, name: str, index: int = 0) -> float:
        """Draw a number uniform on the multiples of 2^-53 in [0, 1).

        Args:
            name: Parameter; two decisions of one node need two names.
            index: Element, 0..2^64-1: the frame for numbers that are drawn anew for every frame.
        """
        return (self._word64(name, index) >> 11) * 2.0**-53

    def integer(self, name: str, n: int, index: int = 0) -> int:
        """Draw one of 0..n-1; the chance of each differs from 1/n by less than 2^-64."""
        return (self._word64(name, index) * n) >> 64

    def field(self, name: str) -> str:
        """Name a noise field: 32 hex digits (key, hash of the name) that regenerate it at any time."""
        return f"{self.key:016x}{_stream(self.path, name):016x}"

    def _word64(self, name: str, index: int) -> int:
        return _compiled()(self.key, _stream(self.path, name), index)
