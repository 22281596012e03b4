"""Streaming: what training code reads batches of pairs with; see :class:`PairStream`.

It needs no torch; :mod:`degradekit.loader` brings the same batches into torch's loaders.
"""

from __future__ import annotations

from degradekit.stream.batch import Batch
from degradekit.stream.stream import PairStream

__all__ = ["Batch", "PairStream"]
