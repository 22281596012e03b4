import os
import sys
from pathlib import Path

import numpy as np
import pytest

from degradekit.errors import SourceError
from degradekit.source import ImageRef, Listing, list_images, read_image


@pytest.fixture
def photos(save, files, tmp_path):
    for name in ("b/2.png", "a 1/ü#.png", "a 1/x.y.png", "0.png", "notes.md"):
        save(files.pillow(np.full((2, 2, 3), len(name), np.uint8), "PNG"), name)
    return tmp_path


def keys(listing):
    return [image.key for image in listing.images]


def test_folder_is_sorted_by_relative_path(photos):
    listing = list_images(photos)
    assert isinstance(listing, Listing) and listing.source == str(photos)
    assert keys(listing) == ["0.png", "a 1/x.y.png", "a 1/ü#.png", "b/2.png"]
    assert listing.images[1] == ImageRef("a 1/x.y.png", f"{photos}/a 1/x.y.png")
    assert listing.ignored == {"no image suffix": 1}
    assert [int(read_image(image.uri)[0, 0, 0]) for image in listing.images] == [5, 11, 10, 7]


def test_spelling_of_the_folder_does_not_change_keys(photos, monkeypatch):
    monkeypatch.chdir(photos.parent)
    for source in (str(photos), f"{photos}/", photos.name, f"./{photos.name}", f"file://{photos}"):
        assert keys(list_images(source)) == keys(list_images(photos))
    assert keys(list_images(photos, recursive=False)) == ["0.png"]


def test_glob(photos, monkeypatch):
    assert keys(list_images(f"{photos}/*/*.png")) == ["a 1/x.y.png", "a 1/ü#.png", "b/2.png"]
    assert keys(list_images(f"{photos}/**/*.png")) == keys(list_images(photos))
    assert keys(list_images(f"{photos}/a 1/?#.png")) == ["ü#.png"]
    monkeypatch.chdir(photos)
    assert list_images("*/2.png").images == (ImageRef("b/2.png", "./b/2.png"),)
    with pytest.raises(SourceError, match=r"has no images \(found: 4 does not match, 1 no image suffix\)"):
        list_images(f"{photos}/**/*.jpg")
    with pytest.raises(SourceError, match="nowhere does not exist; correct the part before"):
        list_images(f"{photos}/nowhere/*.png")


def test_a_folder_with_stars_in_its_name_is_a_folder(save, files, photo, tmp_path):
    save(files.pillow(photo, "PNG"), "we[i]rd*/1.png")
    assert keys(list_images(tmp_path / "we[i]rd*")) == ["1.png"]


def test_single_image(photos):
    assert list_images(photos / "b/2.png").images == (ImageRef("2.png", f"{photos}/b/2.png"),)


def test_list_file(photos):
    lines = ["\ufeff", " b/2.png ", "", f"{photos}/0.png", "a 1/../a 1/ü#.png", "\r"]
    (photos / "train.txt").write_text("\n".join(lines), encoding="utf-8")
    listing = list_images(photos / "train.txt")
    assert sorted(keys(listing)) == sorted([f"{photos}/0.png"[1:], "a 1/a 1/ü#.png", "b/2.png"])
    assert all(read_image(image.uri).shape == (2, 2, 3) for image in listing.images)


def test_list_file_leads_out_but_its_keys_do_not(photos):
    (photos / "b/list.lst").write_text("../0.png\n./2.png\n")
    assert list_images(photos / "b/list.lst").images == (
        ImageRef("0.png", f"{photos}/b/../0.png"),
        ImageRef("2.png", f"{photos}/b/2.png"),
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"b/2.png\nmissing.png\n", "line 2: .*missing.png does not exist"),
        (b"b\n", "line 1: .*b is a folder"),
        (b"b/2.png\nb/2.png\n", "the key b/2.png stands for both"),
        (b"b/2.png\n./b/2.png\n", "the key b/2.png stands for both"),
        (b"\n\n", "has no images"),
        (b"\xff\xfe\n", "must be UTF-8 text"),
    ],
)
def test_list_files_that_cannot_be_used(photos, text, words):
    (photos / "list.txt").write_bytes(text)
    with pytest.raises(SourceError, match=words):
        list_images(photos / "list.txt")


def test_nothing_there(tmp_path):
    with pytest.raises(SourceError, match=r"has no images .found: nothing at all.; images end in .png"):
        list_images(tmp_path)
    with pytest.raises(SourceError, match="does not exist; give a folder"):
        list_images(tmp_path / "nothing")
    (tmp_path / "clip.mp4").write_bytes(b"x")
    with pytest.raises(SourceError, match="neither a folder nor an image"):
        list_images(tmp_path / "clip.mp4")


@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes on Linux")
def test_names_that_are_no_utf8_are_refused(tmp_path):
    os.close(os.open(os.fsencode(tmp_path) + b"/bad\xff.png", os.O_CREAT))
    with pytest.raises(SourceError, match=r"the name 'bad\\udcff.png' is not UTF-8; rename the file"):
        list_images(tmp_path)


def test_keys_keep_the_spelling_of_names(tmp_path):
    for name in ("e\u0301.png", "\u00e9.png", "line\nbreak.png"):  # decomposed and composed: two files
        (tmp_path / name).write_bytes(b"")
    assert keys(list_images(tmp_path)) == ["e\u0301.png", "line\nbreak.png", "\u00e9.png"]


def test_sample_is_the_bundled_photographs_and_a_path_is_not(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert len(list_images("sample").images) == 12
    with pytest.raises(SourceError, match="does not exist"):
        list_images(Path("sample"))
    with pytest.raises(SourceError, match="does not exist"):
        list_images("./sample")


@pytest.fixture
def memory():
    fsspec = pytest.importorskip("fsspec")
    store = fsspec.filesystem("memory")
    yield store
    store.store.clear()
    store.pseudo_dirs[:] = [""]


def test_remote_folder(memory, files, photo):
    data = files.pillow(photo, "PNG")
    for name in ("b/2.png", "a 1/ü%20#.png", ".hidden/3.png", "notes.txt"):
        memory.pipe(f"/photos/{name}", data)
    listing = list_images("memory://photos")
    assert keys(listing) == ["a 1/ü%20#.png", "b/2.png"]
    assert listing.ignored == {"hidden": 1, "no image suffix": 1}
    for image in listing.images:
        assert np.array_equal(read_image(image.uri), photo)
    assert keys(list_images("memory://photos/")) == keys(listing)
    with pytest.raises(SourceError, match="has no images"):
        list_images("memory://photos", recursive=False)


def test_remote_object_and_list(memory, files, photo, tmp_path):
    memory.pipe("/photos/one.png", files.pillow(photo, "PNG"))
    (image,) = list_images("memory://photos/one.png").images
    assert image == ImageRef("one.png", "memory://photos/one.png")
    assert np.array_equal(read_image(image.uri), photo)
    (tmp_path / "list.txt").write_text("memory://photos/one.png\n")
    assert list_images(tmp_path / "list.txt").images == (ImageRef("photos/one.png", "memory://photos/one.png"),)
    with pytest.raises(SourceError, match=r"memory://photos/two.png cannot be fetched"):
        read_image("memory://photos/two.png")


def test_unknown_scheme():
    with pytest.raises(SourceError, match=r"nosuch://x.* cannot be listed"):
        list_images("nosuch://x/y")
    with pytest.raises(SourceError, match=r"nosuch://x.* cannot be fetched"):
        read_image("nosuch://x/y.png")
