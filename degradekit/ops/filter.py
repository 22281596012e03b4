"""What all steps share that are a convolution with one kernel, or one for each frame."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from degradekit.ops.base import Draw, Parity, close
from degradekit.ops.convolve import convolve_frames
from degradekit.types import Array, FloatImage, Series

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["FilterDraw", "Kernels"]


class Kernels(NamedTuple):
    """Kernels by frame.

    Args:
        make: Makes ``[ky, kx]`` from numbers.
        numbers: Each for the clip or for each frame.
    """

    make: Callable[..., Array]
    numbers: tuple[Series, ...]


@dataclass(frozen=True, slots=True)
class FilterDraw(Draw):
    """A convolution with one kernel, or one for each frame."""

    parity: ClassVar[Parity] = close(0.01)

    @abstractmethod
    def kernels(self) -> Kernels:
        """The kernels."""

    def apply(self, x: FloatImage) -> FloatImage:
        """Convolve every channel; the result is not clipped."""
        make, numbers = self.kernels()
        return convolve_frames(x, make, *numbers)

    def apply_torch(self, x: Tensor) -> Tensor:
        """Convolve with the very kernels that ``apply`` convolves with, approximated as there."""
        from degradekit.ops.device.filters import convolve_frames as convolve_on_device

        make, numbers = self.kernels()
        return convolve_on_device(x, make, *numbers)
