"""What tests of both packages share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """One thread for torch: on tensors as small as those of tests, more are slower."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def one_device() -> Iterator[None]:
    """Every call of torch inside has its tensors on one device, as CUDA demands and ``meta`` alone does not check.

    Numbers (tensors without axes) may come from the host, and copies are how anything else gets to the device.
    """
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves

    copies = (torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default)

    class OneDevice(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            given = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor) and leaf.ndim]
            places = {tensor.device for tensor in given}
            assert len(places) < 2 or func in copies, f"{func} meets tensors on {places}"
            return func(*args, **(kwargs or {}))

    with OneDevice():
        yield
