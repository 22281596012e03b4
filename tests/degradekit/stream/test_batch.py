from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from degradekit.stream import PairStream
from degradekit.stream.batch import Slabs

from .conftest import gt_pixels

BYTE = np.dtype(np.uint8)


def free(slabs: Slabs) -> set[int]:
    """Places that are given out again: what a few arrays that are all held at a time would get."""
    known = {slab.ctypes.data for slab in slabs._slabs}
    held = [slabs.take((4, 3), BYTE) for _ in known]
    return known & {array.ctypes.data for array in held}


def test_memory_is_used_again_only_when_nobody_holds_it() -> None:
    slabs = Slabs()
    first = slabs.take((4, 3), BYTE)
    place = first.ctypes.data
    kept = first[1:, ::2].T  # a view of a view
    del first
    assert place not in free(slabs)
    buffer = memoryview(kept)
    del kept
    assert place not in free(slabs)
    del buffer
    assert place in free(slabs)
    assert slabs.take((4, 4), BYTE).ctypes.data not in free(slabs)


def test_a_tensor_holds_its_memory() -> None:
    import torch

    slabs = Slabs()
    tensor = torch.from_numpy(slabs.take((4, 3), BYTE)).movedim(-1, 0)[1:]
    place = tensor.data_ptr() - 1
    assert place not in free(slabs)
    del tensor
    assert place in free(slabs)


def test_batches_that_are_kept_are_never_written_to(make_set: Callable[..., Path]) -> None:
    kept = [(batch["index"], batch["gt"][:, 3:]) for _ in range(2) for batch in PairStream(make_set(64), batch_size=4)]
    for indices, images in kept:
        for index, image in zip(indices.tolist(), images, strict=True):
            assert np.array_equal(image, gt_pixels(index)[0, 3:])


def test_more_batches_than_slabs_can_be_held() -> None:
    slabs = Slabs()
    held = [slabs.take((2, 2), BYTE) for _ in range(3 * Slabs.MOST)]
    assert len({array.ctypes.data for array in held}) == 3 * Slabs.MOST
