import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from degradekit.errors import SourceError
from degradekit.source.folders import IMAGE_SUFFIXES, VIDEO_SUFFIXES, Walk, has_suffix, matches, unwanted


@pytest.fixture
def tree(tmp_path):
    for name in ("b/2.png", "b/1.JPG", "a/deep/er/3.webp", "0.tiff", "notes.txt", ".hidden.png", ".cache/4.png"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    (tmp_path / "folder.png").mkdir()
    return tmp_path


def walked(root, **options):
    walk = Walk(str(root), **options)
    return sorted(walk), dict(walk.ignored)


def test_images_are_found_and_the_rest_is_counted(tree):
    names, ignored = walked(tree)
    assert names == ["0.tiff", "a/deep/er/3.webp", "b/1.JPG", "b/2.png"]
    assert ignored == {"hidden": 2, "no image suffix": 1}


@pytest.mark.parametrize(("depth", "expected"), [(0, ["0.tiff"]), (1, ["0.tiff", "b/1.JPG", "b/2.png"])])
def test_depth(tree, depth, expected):
    assert walked(tree, depth=depth)[0] == expected


def test_loops_end_and_a_folder_is_visited_once(tree):
    (tree / "a/deep/loop").symlink_to(tree, target_is_directory=True)
    (tree / "a/self").symlink_to(tree / "a", target_is_directory=True)
    (tree / "a/again").symlink_to(tree / "b", target_is_directory=True)
    names, ignored = walked(tree)
    assert names == ["0.tiff", "a/deep/er/3.webp", "b/1.JPG", "b/2.png"]
    assert ignored["folder visited by another path"] == 3


def test_links_out_of_the_tree_are_followed_once_by_name(tree, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside")
    (outside / "far.png").write_bytes(b"")
    (outside / "back").symlink_to(tree, target_is_directory=True)
    for link in ("z", "m", "b/q"):
        (tree / link).symlink_to(outside, target_is_directory=True)
    names, ignored = walked(tree)
    assert names == ["0.tiff", "a/deep/er/3.webp", "b/1.JPG", "b/2.png", "b/q/far.png"]
    assert ignored["folder visited by another path"] == 3


def test_linked_files_count_and_broken_links_are_named(tree):
    (tree / "copy.png").symlink_to(tree / "b/2.png")
    (tree / "gone.png").symlink_to(tree / "nowhere.png")
    (tree / "self.png").symlink_to(tree / "self.png")
    (tree / "to.png").symlink_to(tree / "fro.png")
    (tree / "fro.png").symlink_to(tree / "to.png")
    os.mkfifo(tree / "pipe.png")
    names, ignored = walked(tree)
    assert "copy.png" in names and not {"gone.png", "self.png", "to.png", "fro.png"} & set(names)
    assert ignored["broken link"] == 4 and ignored["not a file"] == 1


def test_a_folder_that_may_not_be_listed_is_an_error(tree, monkeypatch):
    scandir = os.scandir

    def denied(path):
        if Path(path).name == "deep":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", denied)  # root may list everything, so the refusal is made up
    with pytest.raises(SourceError, match=r"a/deep cannot be listed \(Permission denied\); allow this user"):
        walked(tree)


def test_suffixes():
    assert has_suffix("a.PNG", IMAGE_SUFFIXES) and has_suffix("b.x.jpeg", IMAGE_SUFFIXES)
    assert not has_suffix("png", IMAGE_SUFFIXES) and has_suffix("a.MKV", VIDEO_SUFFIXES)
    assert unwanted("a.png", IMAGE_SUFFIXES) is None
    assert unwanted("a.mp4", IMAGE_SUFFIXES) == "video without extract.clip"
    assert unwanted("a.md", IMAGE_SUFFIXES + VIDEO_SUFFIXES) == "no image suffix"


@pytest.mark.parametrize(
    ("path", "pattern", "expected"),
    [
        ("a.png", "*.png", True),
        ("b/a.png", "*.png", False),
        ("a.png", "**/*.png", True),
        ("b/c/a.png", "**/*.png", True),
        ("b/c/a.png", "b/**/a.png", True),
        ("b/a.png", "b/**/a.png", True),
        ("b/a.png", "?/[a-c].png", True),
        ("b/a.jpg", "**/*.png", False),
        ("b/c/a.png", "b/**", True),
        ("b/c/a.png", "*/a.png", False),
    ],
)
def test_glob_patterns(path, pattern, expected):
    assert matches(path.split("/"), pattern.split("/")) is expected


@given(st.lists(st.text("ab*?[]", min_size=1, max_size=3), min_size=1, max_size=5))
def test_any_folders_match_two_stars(parts):
    assert matches(parts, ["**"]) and matches(parts, ["**", "*"]) and matches(parts, ["**", "**", "*"])
