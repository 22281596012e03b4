"""Which rectangles of a source image become HR crops: the request, and its windows computed from the image's size.

Everything here is arithmetic on (height, width). A random window is drawn by the crop's own name, so it depends
neither on the other images nor on the other crops.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    StrictInt,
    model_serializer,
    model_validator,
)

from degradekit.errors import RecipeError, SourceError
from degradekit.source.clip import Clip
from degradekit.source.landmarks import Faces
from degradekit.types import Scalar, SourceItem, Window

__all__ = ["MAX_PIXELS", "Extract", "plan_windows", "scaled_size", "source_items", "split_key"]

MAX_PIXELS = 300_000_000
"""Default limit of an image's height times width: three times the largest photographs that cameras take."""


def _as_pair(value: Any) -> Any:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return (value, value) if whole else value


Positive: TypeAlias = Annotated[StrictInt, Field(ge=1)]
Size: TypeAlias = Annotated[tuple[Positive, Positive], BeforeValidator(_as_pair)]


class Extract(BaseModel):
    """How HR crops are taken from source images.

    Args:
        mode: ``whole``: the image, cut at the bottom and right to a multiple of the recipe's scale. ``random``:
            windows at keyed random places. ``sliding``: a regular grid of windows.
        size: Side of the window in px, or [height, width]; multiples of the recipe's scale. Not for ``whole``.
        per_image: Windows for each image and each of its scaled versions (``random``).
        step: Distance of neighbouring windows in px (``sliding``); smaller means more overlap.
        threshold: When more than this many px remain beyond the last window of the grid, one more window is placed
            at the border (``sliding``); larger means fewer, less overlapping border windows.
        scales: Factors in (0, 1] by which the whole image is reduced before windows are taken, as DF2K's
            multi-scale HR: ``[1, 0.75, 0.5, 0.3333]``. Each factor adds its own windows.
        shortest: Adds one more version, reduced so that its shorter side is this many px; never enlarged.
        small: What happens where an image, or a version of it, is smaller than the window. ``refuse``: the image is
            an error. ``pad``: it is continued at the bottom and right by reflection without repeating the border
            pixel. ``skip``: the version yields nothing.
        flat: Crops whose standard deviation is below this, in 8-bit levels and in every channel, count as flat;
            larger rejects more (``degradekit.source.is_flat``).
        alpha: Transparent pixels are composited over ``white`` or ``black``, shown as if opaque (``drop``), or are
            an error (``refuse``). Fully opaque alpha is dropped in any case.
        icc: ``convert`` embedded colour profiles to sRGB, or ``ignore`` them.
        max_pixels: Images with a larger height times width are refused before they are decoded.
        clip: Take clips from videos and folders of frames instead of images; see :class:`degradekit.source.Clip`. A
            crop is then one window cut from every frame of a clip.
        faces: Take the faces whose landmarks a file tells, aligned or as they are; see
            :class:`degradekit.source.Faces`. Every pair then records where the landmarks lie in its GT and LQ.

    Source: random windows, reflection at the bottom and right and the multi-scale HR versions are those of
        Real-ESRGAN (Wang et al., 2021); the grid with its threshold is that of BasicSR's sub-image extraction.

    Example:
        >>> Extract(mode="random", size=400, per_image=2, scales=(1, 0.5)).crops
        ('r0', 'r1', 's0.5-r0', 's0.5-r1')
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: Literal["random", "sliding", "whole"] = "whole"
    size: Size | None = None
    per_image: Positive = 1
    step: Positive | None = None
    threshold: Annotated[StrictInt, Field(ge=0)] = 0
    scales: tuple[Annotated[float, Field(gt=0, le=1)], ...] = (1.0,)
    shortest: Positive | None = None
    small: Literal["refuse", "pad", "skip"] = "refuse"
    flat: Annotated[float, Field(gt=0, le=127.5)] | None = None
    alpha: Literal["white", "black", "drop", "refuse"] = "white"
    icc: Literal["convert", "ignore"] = "convert"
    max_pixels: Positive = MAX_PIXELS
    clip: Clip | None = None
    faces: Faces | None = None

    @model_serializer(mode="wrap")
    def _without_what_is_absent(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """The digest of an image recipe does not know of clips and faces."""
        made: dict[str, Any] = handler(self)
        for name in ("clip", "faces"):
            if getattr(self, name) is None:
                made.pop(name, None)
        return made

    @model_validator(mode="after")
    def _fits_mode(self) -> Self:
        windowed = self.mode != "whole"
        if windowed and self.size is None:
            raise ValueError(f"mode {self.mode} needs a size; write size: 400, say")
        if not windowed and self.size is not None:
            raise ValueError(f"mode whole takes no size (it is {list(self.size)}); choose random or sliding")
        if self.mode == "sliding" and self.step is None:
            raise ValueError("mode sliding needs a step; write step: 200, say")
        if self.mode != "sliding" and (self.step is not None or self.threshold):
            raise ValueError(f"mode {self.mode} takes no step and no threshold; they belong to sliding")
        if self.mode != "random" and self.per_image != 1:
            raise ValueError(f"mode {self.mode} takes no per_image (it is {self.per_image}); it belongs to random")
        if self.clip and self.faces:
            raise ValueError("faces are taken from images: remove clip or faces")
        names = [name for name, _ in self._versions()]
        if not names or len(set(names)) != len(names):
            raise ValueError(f"scales {list(self.scales)} must be different factors, one at least")
        return self

    @property
    def frames(self) -> int:
        """Frames of what is cut: 1 for images."""
        return self.clip.length if self.clip else 1

    @property
    def window_size(self) -> tuple[int, int] | None:
        """(height, width) of every window in px, or None in mode ``whole`` but for aligned faces."""
        if self.size is None and self.faces is not None and self.faces.align == "ffhq":
            return self.faces.size, self.faces.size
        return self.size

    @property
    def crops(self) -> tuple[str, ...] | None:
        """Names of an image's crops where the request alone decides them; None in mode ``sliding``.

        With ``small: skip`` an image may yield fewer: names that :func:`plan_windows` leaves out.
        """
        if self.mode == "sliding":
            return None
        names = [f"r{i}" for i in range(self.per_image)] if self.mode == "random" else ["whole"]
        return tuple(prefix + name for prefix, _ in self._versions() for name in names)

    def versions(self, h: int, w: int) -> Iterator[tuple[str, float]]:
        """Prefix of the crop names and factor of every scaled version of an image of ``h`` x ``w`` px."""
        for prefix, factor in self._versions():
            yield prefix, factor if factor is not None else min(1.0, (self.shortest or 1) / min(h, w))

    def _versions(self) -> Iterator[tuple[str, float | None]]:
        for factor in self.scales:
            yield ("" if factor == 1 else f"s{factor:g}-"), factor
        if self.shortest is not None:
            yield f"short{self.shortest}-", None


def plan_windows(
    size: tuple[int, int], extract: Extract, scale: int, *, uniform: Callable[[str], float]
) -> dict[str, Window]:
    """Compute the windows of one image from its size.

    Args:
        size: (height, width) of the image in px, after its orientation is applied.
        extract: The request.
        scale: GT side / LQ side; windows are multiples of it.
        uniform: Gives a number in [0, 1) for a name; asked for ``<crop>.y`` and ``<crop>.x`` of random crops.

    Returns:
        Crop name -> window, in a fixed order. A window that reaches beyond the image is to be padded.

    Raises:
        RecipeError: The window is no multiple of ``scale``.
        SourceError: The image is smaller than the window and ``extract.small`` is ``refuse``.

    Example:
        >>> request = Extract(mode="sliding", size=400, step=200)
        >>> list(plan_windows((400, 700), request, 4, uniform=lambda name: 0.5))
        ['y0x0', 'y0x200', 'y0x300']
    """
    need = extract.size or (scale, scale)
    if need[0] % scale or need[1] % scale:
        raise RecipeError(
            f"extract.size {need[0]}x{need[1]} is no multiple of the recipe's scale {scale}; "
            f"write {[side + -side % scale for side in need]}, say"
        )
    windows: dict[str, Window] = {}
    for prefix, factor in extract.versions(*size):
        h, w = scaled_size(size, factor)
        if (h < need[0] or w < need[1]) and extract.small != "pad":
            if extract.small == "skip":
                continue
            reduced = "" if factor == 1 else f", {h}x{w} px when scaled by {factor:g}"
            raise SourceError(
                f"the image is {size[0]}x{size[1]} px{reduced}, smaller than the window of {need[0]}x{need[1]} px; "
                "set extract.small to pad or skip, or choose a smaller size"
            )
        for name, (y, x, wh, ww) in _rectangles(prefix, h, w, extract=extract, scale=scale, uniform=uniform):
            windows[name] = Window(y, x, wh, ww, factor)
    return windows


def _rectangles(
    prefix: str, h: int, w: int, *, extract: Extract, scale: int, uniform: Callable[[str], float]
) -> Iterator[tuple[str, tuple[int, int, int, int]]]:
    if extract.size is None:
        yield f"{prefix}whole", (0, 0, max(scale, h - h % scale), max(scale, w - w % scale))
        return
    wh, ww = extract.size
    if extract.mode == "random":
        for i in range(extract.per_image):
            name = f"{prefix}r{i}"
            y = int(uniform(f"{name}.y") * (max(0, h - wh) + 1))
            x = int(uniform(f"{name}.x") * (max(0, w - ww) + 1))
            yield name, (y, x, wh, ww)
        return
    assert extract.step is not None  # the model asks for it
    for y in _grid(h, wh, extract.step, extract.threshold):
        for x in _grid(w, ww, extract.step, extract.threshold):
            yield f"{prefix}y{y}x{x}", (y, x, wh, ww)


def _grid(length: int, window: int, step: int, threshold: int) -> list[int]:
    last = max(0, length - window)
    starts = list(range(0, last + 1, step))
    if last - starts[-1] > threshold:
        starts.append(last)
    return starts


def scaled_size(size: tuple[int, int], factor: float) -> tuple[int, int]:
    """(height, width) of an image reduced by ``factor``, rounded half up, at least 1 px.

    Example:
        >>> scaled_size((1365, 2040), 0.5)
        (683, 1020)
    """
    h, w = (max(1, int(side * factor + 0.5)) for side in size)
    return h, w


def source_items(
    key: str, uri: str, windows: Mapping[str, Window], *, meta: Mapping[str, Scalar] | None = None
) -> list[SourceItem]:
    """Name every window of an image ``<key>#<crop>``.

    Args:
        key: Path of the image relative to the source root.
        uri: Where its bytes are.
        windows: From :func:`plan_windows`.
        meta: Facts about the image that every item carries.

    Example:
        >>> source_items("kodak/01.png", "/photos/kodak/01.png", {"r0": Window(0, 0, 4, 4)})[0].key
        'kodak/01.png#r0'
    """
    return [SourceItem(f"{key}#{crop}", uri, window, dict(meta or {})) for crop, window in windows.items()]


def split_key(key: str) -> tuple[str, str]:
    """Path and crop of a sample key; the path may itself contain ``#``.

    Example:
        >>> split_key("a#1/cat.png#s0.5-r0")
        ('a#1/cat.png', 's0.5-r0')
    """
    path, _, crop = key.rpartition("#")
    return path, crop
