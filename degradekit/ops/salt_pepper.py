"""Salt and pepper: single samples that are white or black."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Self

import numpy as np
from numpy import float32
from pydantic import model_validator

from degradekit.dist import Const, Dist, Pick, Within, Words
from degradekit.fields import uniform_field
from degradekit.ops.base import Draw, Op, at_frame
from degradekit.rng import Draws
from degradekit.types import FloatImage, Geometry, Series

__all__ = ["SaltPepper", "SaltPepperDraw"]


@dataclass(frozen=True, slots=True)
class SaltPepperDraw(Draw):
    """Specks of one determined density; where they are is regenerated from ``field``.

    Args:
        salt: Chance of white, for the clip or for each frame.
        pepper: Chance of black, for the clip or for each frame.
        per: ``pixel`` or ``channel``.
        field: Name of the uniform field.
    """

    name: ClassVar[str] = "salt_pepper"

    salt: Series
    pepper: Series
    per: str
    field: str

    def apply(self, x: FloatImage) -> FloatImage:
        """Set the specks; all other samples stay as they are.

        Element of the field: ((t H + y) W + x) C + c, or (t H + y) W + x per pixel.
        """
        t, h, w, c = x.shape
        shape = (h, w, c) if self.per == "channel" else (h, w)
        count = int(np.prod(shape))
        out = np.array(x, np.float32, order="C")
        for i in range(t):
            chance = uniform_field(self.field, count, first=i * count).reshape(shape)
            out[i][chance < float32(at_frame(self.pepper, i))] = 0
            out[i][chance >= float32(1 - at_frame(self.salt, i))] = 1
        return out


class SaltPepper(Op):
    """Turns single pixels white or black, as dead sensor cells, dust and transmission errors do.

    Args:
        salt_range: Chance of a pixel to become white, 0 to 1; larger is more.
        pepper_range: Chance of a pixel to become black; together with ``salt_range`` 1 at most.
        per: ``pixel`` sets red, green and blue together; ``channel`` sets each on its own, in specks of saturated
            colours.

    Shape: ``[T, H, W, C] -> [T, H, W, C]``; every frame has specks of its own.

    Range: any; what is no speck is not touched.

    Source: The impulse noise of R. C. Gonzalez, R. E. Woods, "Digital image processing", section 5.2.

    Example:
        >>> from degradekit.rng import Draws, sample_key
        >>> op = SaltPepper.model_validate({"salt_range": 0.02, "pepper_range": 0.01})
        >>> draw = op.draw(Draws(sample_key(0, "cat.png", 0), "specks"), Geometry(1, 100, 100))
        >>> x = np.full((1, 100, 100, 3), 0.5, np.float32)
        >>> y = draw.apply(x)
        >>> bool(abs((y == 1).mean() - 0.02) < 0.005 and abs((y == 0).mean() - 0.01) < 0.004)
        True
        >>> bool((SaltPepperDraw.from_json(draw.to_json()).apply(x) == y).all())
        True
    """

    name: ClassVar[str] = "salt_pepper"
    draws: ClassVar[type[Draw]] = SaltPepperDraw

    salt_range: Annotated[Dist, Within(0, 1)] = Const(0.0)
    pepper_range: Annotated[Dist, Within(0, 1)] = Const(0.0)
    per: Annotated[Pick, Words("pixel", "channel")] = Pick(("pixel",))

    @model_validator(mode="after")
    def _at_most_all(self) -> Self:
        if self.salt_range.support()[1] + self.pepper_range.support()[1] > 1:
            raise ValueError("salt_range and pepper_range together reach more than 1: lower one of them")
        return self

    def draw(self, u: Draws, g: Geometry) -> SaltPepperDraw:
        """Choose the densities and the kind."""
        return SaltPepperDraw(
            salt=self.salt_range.draw(u, "salt", g.t),
            pepper=self.pepper_range.draw(u, "pepper", g.t),
            per=self.per.draw(u, "per"),
            field=u.field("specks"),
        )
