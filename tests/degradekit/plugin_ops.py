"""Ops of another package, as the tests of plug-ins import them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from degradekit.dist import Dist, Within
from degradekit.fields import uniform_field
from degradekit.ops import Draw, Op
from degradekit.rng import Draws
from degradekit.types import FloatImage, Geometry


@dataclass(frozen=True, slots=True)
class DustDraw(Draw):
    """White specks.

    Args:
        share: Share of the pixels.
        field: Name of the uniform field.
    """

    name: ClassVar[str] = "plugin_ops:Dust"

    share: float
    field: str

    def apply(self, x: FloatImage) -> FloatImage:
        """Put the specks on."""
        out = x.copy()
        out[uniform_field(self.field, x[..., 0].size).reshape(x.shape[:3]) < self.share] = np.float32(1)
        return out


class Dust(Op):
    """Puts white specks on the picture.

    Args:
        share_range: Share of the pixels, 0 to 1.
    """

    name: ClassVar[str] = "plugin_ops:Dust"
    draws: ClassVar[type[Draw]] = DustDraw

    share_range: Annotated[Dist, Within(0, 1)]

    def draw(self, u: Draws, g: Geometry) -> DustDraw:
        """Choose the share."""
        return DustDraw(self.share_range.sample(u, "share"), u.field("dust"))


class Nameless(Dust):
    """Keeps the name of another class."""


class Drawless(Dust):
    """Has a name and no draw of its own."""

    name: ClassVar[str] = "plugin_ops:Drawless"
    draws: ClassVar[type[Draw]] = int  # type: ignore[assignment]


NOT_AN_OP = 7
