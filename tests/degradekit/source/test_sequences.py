import numpy as np
import pytest
from PIL import Image

from degradekit.errors import SourceError
from degradekit.source import (
    Clip,
    Extract,
    Frames,
    ImageRef,
    SkippedClip,
    clip_size,
    list_clips,
    list_images,
    read_clip,
)

RNG = np.random.default_rng(0)
FRAMES = RNG.integers(0, 256, (12, 20, 28, 3), np.uint8)


def write_frames(folder, names, frames=FRAMES):
    folder.mkdir(parents=True)
    for name, frame in zip(names, frames, strict=False):
        Image.fromarray(frame).save(folder / name)


def keys(listing):
    return [image.key for image in listing.images]


def read(clip, **request):
    return read_clip(clip.uri, clip.frames, Extract(clip={"length": 3, **request}))


def test_reds_vimeo_and_videos_are_sequences(tmp_path, write_video):
    write_frames(tmp_path / "train/000", [f"{i:08d}.png" for i in range(7)])
    write_frames(tmp_path / "vimeo/00001/0002", [f"im{i}.png" for i in range(1, 8)])
    write_video(tmp_path / "film.mkv", FRAMES[:7])
    (tmp_path / "notes.txt").write_text("")
    listing = list_clips(tmp_path, Clip(length=3, stride=2))
    assert keys(listing) == [
        *("film.mkv@0", "film.mkv@2", "film.mkv@4"),
        *("train/000@00000000", "train/000@00000002", "train/000@00000004"),
        *("vimeo/00001/0002@im1", "vimeo/00001/0002@im3", "vimeo/00001/0002@im5"),
    ]
    assert listing.ignored == {"no image suffix": 1}
    for i, clip in enumerate(listing.images):
        start = 2 * (i % 3)
        np.testing.assert_array_equal(read(clip), FRAMES[start : start + 3])
        assert clip_size(clip, Extract()) == (20, 28)


def test_frames_are_ordered_by_number_and_taken_at_intervals(tmp_path):
    write_frames(tmp_path / "a", [f"im{i}.png" for i in range(1, 13)])
    first, second = list_clips(tmp_path / "a", Clip(length=3, interval=4, stride=2)).images
    assert (first.key, second.key) == ("a@im1", "a@im3")
    np.testing.assert_array_equal(read(first), FRAMES[[0, 4, 8]])
    np.testing.assert_array_equal(read(second), FRAMES[[2, 6, 10]])


def test_keys_do_not_depend_on_how_the_source_is_named(tmp_path, monkeypatch):
    write_frames(tmp_path / "a", [f"{i}.png" for i in range(3)])
    monkeypatch.chdir(tmp_path / "a")
    for source in (tmp_path / "a", f"{tmp_path}/a/", ".", f"file://{tmp_path}/a", "*.png"):
        assert keys(list_clips(source, Clip(length=3))) == ["a@0"]


def test_no_clip_jumps_over_a_missing_frame(tmp_path):
    write_frames(tmp_path / "a", [f"{i:03d}.png" for i in range(12) if i != 5])
    clips = list_clips(tmp_path, Clip(length=3, stride=1)).images
    assert [clip.frames.first for clip in clips] == ["000", "001", "002", "006", "007", "008", "009"]
    write_frames(tmp_path / "b", [f"{2 * i}.png" for i in range(5)])
    assert keys(list_clips(tmp_path / "b", Clip(length=5))) == ["b@0"]
    write_frames(tmp_path / "c", ["dawn.png", "noon.png", "dusk.png"])
    assert keys(list_clips(tmp_path / "c", Clip(length=3))) == ["c@dawn"]


def test_a_sequence_without_a_clip_says_why(tmp_path, write_video):
    write_frames(tmp_path / "short", ["0.png", "1.png"])
    write_video(tmp_path / "uneven.mkv", FRAMES[:5], [0, 40, 80, 240, 280])
    (tmp_path / "broken.mp4").write_bytes(b"nothing")
    broken, short, uneven = list_clips(tmp_path, Clip(length=3)).images
    for clip, words in (
        (broken, r"^broken.mp4 cannot be read as a video"),
        (short, "^short has 2 frames from 0 on, a clip needs 3; choose a smaller extract.clip.length"),
        (uneven, "^uneven.mkv has a variable frame rate: its frames are 40 to 160 ms apart; convert it"),
    ):
        with pytest.raises(SourceError, match=words):
            read(clip)
        with pytest.raises(SourceError, match=words):
            clip_size(clip, Extract())
    skipped = next(clip for clip in list_clips(tmp_path, Clip(length=3, short="skip")).images if clip.key == "short@0")
    with pytest.raises(SkippedClip, match="short has 2 frames"):
        read(skipped)
    allowed = list_clips(tmp_path / "uneven.mkv", Clip(length=5, uneven="allow")).images
    np.testing.assert_array_equal(read(allowed[0]), FRAMES[:5])


def test_a_clip_over_a_scene_cut_is_left_out(tmp_path):
    frames = np.full((6, 20, 28, 3), 30, np.uint8)
    frames[3:] = 200
    write_frames(tmp_path / "a", [f"{i}.png" for i in range(6)], frames)
    clips = list_clips(tmp_path, Clip(length=2)).images
    assert [read(clip, cut_threshold=60).mean() for clip in (clips[0], clips[2])] == [30, 200]
    with pytest.raises(SkippedClip, match="a scene ends within the clip, before its frame 1"):
        read(clips[1], cut_threshold=60)
    assert read(clips[1]).shape == (2, 20, 28, 3)


def test_frames_that_do_not_belong_together_are_refused(tmp_path):
    write_frames(tmp_path / "a", ["0.png", "1.png"])
    Image.fromarray(FRAMES[0, :10]).save(tmp_path / "a/2.png")
    (clip,) = list_clips(tmp_path, Clip(length=3)).images
    with pytest.raises(SourceError, match=r"a/2.png is 10x28 px uint8, the first frame of its clip 20x28 px uint8"):
        read(clip)
    write_frames(tmp_path / "b", ["0.png", "0.jpg"])
    with pytest.raises(SourceError, match="two clips are called b@0; keep one image for each frame"):
        list_clips(tmp_path / "b", Clip(length=1))


def test_a_video_larger_than_allowed_is_refused(tmp_path, write_video):
    write_video(tmp_path / "a.mkv", FRAMES[:3])
    (clip,) = list_clips(tmp_path, Clip(length=3)).images
    with pytest.raises(SourceError, match=r"a\.mkv is 20x28 px; the limit max_pixels is 100"):
        read_clip(clip.uri, clip.frames, Extract(max_pixels=100, clip={"length": 3}))


def test_remote_sequences(write_video, tmp_path):
    fsspec = pytest.importorskip("fsspec")
    store = fsspec.filesystem("memory")
    write_frames(tmp_path / "000", ["0.png", "1.png", "2.png"])
    for name in ("0.png", "1.png", "2.png"):
        store.pipe(f"/films/000/{name}", (tmp_path / "000" / name).read_bytes())
    store.pipe("/films/a.mkv", write_video(tmp_path / "a.mkv", FRAMES[:3]).read_bytes())
    try:
        clips = list_clips("memory://films", Clip(length=3)).images
        assert [clip.key for clip in clips] == ["000@0", "a.mkv@0"]
        for clip in clips:
            np.testing.assert_array_equal(read(clip), FRAMES[:3])
        assert keys(list_clips("memory://films/000", Clip(length=3))) == ["000@0"]
    finally:
        store.store.clear()
        store.pseudo_dirs[:] = [""]


def test_images_stay_images_without_the_request(tmp_path, write_video):
    write_frames(tmp_path / "a", ["0.png", "1.png"])
    write_video(tmp_path / "a.mkv", FRAMES[:3])
    listing = list_images(tmp_path)
    assert listing.images[0] == ImageRef("a/0.png", f"{tmp_path}/a/0.png")
    assert listing.ignored == {"video without extract.clip": 1}
    assert Frames("0").problem == ""
