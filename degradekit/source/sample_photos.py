"""The bundled source ``sample``: real photographs that the wheel of scikit-image carries."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from degradekit.errors import SourceError

__all__ = ["SAMPLE_PHOTOS", "sample_photos"]

SAMPLE_PHOTOS = (
    "astronaut.png",
    "brick.png",
    "camera.png",
    "coffee.png",
    "grass.png",
    "gravel.png",
    "hubble_deep_field.jpg",
    "ihc.png",
    "moon.png",
    "motorcycle_left.png",
    "retina.jpg",
    "rocket.jpg",
)
"""The photographs in ``skimage/data`` of at least 400 px on both sides, and one of a stereo pair; 7 in colour."""


def sample_photos() -> list[Path]:
    """Find the bundled photographs without importing scikit-image.

    Raises:
        SourceError: scikit-image is not installed, or lacks one of them.
    """
    spec = find_spec("skimage")
    if spec is None or not spec.submodule_search_locations:
        raise SourceError("source sample needs the photographs of scikit-image; pip install 'degradekit[demo]'")
    folder = Path(spec.submodule_search_locations[0]) / "data"
    paths = [folder / name for name in SAMPLE_PHOTOS]
    missing = [path.name for path in paths if not path.is_file()]
    if missing:
        raise SourceError(f"source sample: {', '.join(missing)} are not in {folder}; pip install 'degradekit[demo]'")
    return paths
