import importlib.util
from importlib.machinery import ModuleSpec

import pytest

from degradekit.errors import SourceError
from degradekit.source import SAMPLE_PHOTOS, list_images, read_header, sample_photos


def test_the_photographs_are_there_and_large_enough_for_a_window_of_400():
    headers = [read_header(image.uri) for image in list_images("sample").images]
    assert len(headers) == len(SAMPLE_PHOTOS) == 12
    assert min(min(header.h, header.w) for header in headers) == 400
    assert sum(header.channels == 3 for header in headers) == 7


def test_without_scikit_image_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(sample_photos, "find_spec", lambda name: None)
    with pytest.raises(SourceError, match=r"pip install 'degradekit\[demo\]'"):
        list_images("sample")


def test_missing_photographs_are_named(monkeypatch, tmp_path):
    spec = ModuleSpec("skimage", None, is_package=True)
    spec.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr(sample_photos, "find_spec", lambda name: spec)
    assert importlib.util.find_spec("skimage") is not None
    with pytest.raises(SourceError, match=r"astronaut.png, .* are not in"):
        list_images("sample")
