"""What can go wrong in a build: every refusal is one clear sentence with the right exit code, and loses nothing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from degradekit.shards.dataset import open_dataset
from degradekit.shards.verify import verify_dataset
from degradekit.types import Tombstone

Result = tuple[int, str, str]
Run = Callable[..., Result]


def says(result: Result, code: int, *words: str) -> None:
    """A refusal: the exit code, nothing on stdout, and at the end of stderr a sentence that holds the words."""
    assert result[0] == code, result
    assert result[1] == ""
    assert "Traceback" not in result[2]
    sentence = result[2].rpartition("\ndegradekit")[2] or result[2]
    assert all(word in sentence for word in words), result[2]


def files(out: Path) -> dict[str, bytes]:
    """Every file of a dataset but for clocks and progress."""
    clocks = ("build.json", "progress.json")
    return {str(p.relative_to(out)): p.read_bytes() for p in out.rglob("*") if p.is_file() and p.name not in clocks}


def sidecars(out: Path) -> dict[str, int]:
    """Committed shards, and when they were."""
    return {path.name: path.stat().st_mtime_ns for path in (out / "data").glob("_*.json")}


def test_too_many_failures_stop_a_build_that_can_go_on(quick_source: Path, build: Run, tmp_path: Path) -> None:
    for i in range(6):
        (quick_source / f"text {i}.png").write_text("no picture")
    build(out=tmp_path / "whole")
    result = build("--max-failures", 5)
    says(result, 1, "pairs failed, more than --max-failures 5; the last: ", " at read: ", "finished shards are kept")
    out = tmp_path / "out"
    before = sidecars(out)
    assert 0 < len(before) < len(sidecars(tmp_path / "whole"))
    assert json.loads((out / "progress.json").read_text())["state"] == "failed"
    assert build()[0] == 1
    assert {name: sidecars(out)[name] for name in before} == before
    assert files(out) == files(tmp_path / "whole")


# --- sources, recipes and options that are refused ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("empty", "source {} has no images (found: nothing at all); images end in .png, .jpg"),
        ("notes", "source {} has no images (found: 2 no image suffix); images end in"),
        ("nowhere", "source {} does not exist; give a folder, glob"),
        ("*.png", "source {} has no images"),
        ("notes/a.txt", "notes/a.txt, line 1: {0.parent}/gone.png does not exist; correct or delete the line"),
        ("notes/b.txt", "notes/b.txt, line 2: {0.parent}/folder.png is a folder; correct or delete the line"),
        ("bare.doc", "source {} is neither a folder nor an image"),
    ],
)
def test_a_source_without_images_is_refused(where: str, words: str, build: Run, tmp_path: Path) -> None:
    (tmp_path / "empty/folder.png").mkdir(parents=True)
    (tmp_path / "notes/folder.png").mkdir(parents=True)
    (tmp_path / "notes/a.txt").write_text("gone.png\n")
    (tmp_path / "notes/b.txt").write_text("\nfolder.png\n")
    (tmp_path / "bare.doc").write_text("x")
    says(build(source=tmp_path / where), 2, words.format(tmp_path / where))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("op: gaussian_noise", "op: gausian_noise", "degrade.noise: unknown op 'gausian_noise'; did you mean 'gaus"),
        ("[1/255, 9/255]", "[-0.1, 0.2]", "degrade.noise.sigma_range: -0.1 is below 0; sigma"),
        ("sigma_range", "sigma", "degrade.noise.sigma: unknown parameter; did you mean 'sigma_range'?"),
        ("  noise: {op:", "  noise: {one_of: {a: {p: 0.7, op: grey}, b: {p: 0.5, op: grey}}}\n  n: {op:", "sum to 1.2"),
        ("scale: 4", "scale: 4\nscale: 2", "line 3, column 1: the key 'scale' appears twice"),
        ("  down:", "  noise: {op: grey}\n  down:", "line 8, column 3: the key 'noise' appears twice"),
        ("scale: 4", "name: !!python/object/apply:os.mkdir [pwned]\nscale: 4", "asks for an object of a programming"),
        ("[1/255, 9/255]", "[1/255, 9/255", "line 7, column 57: expected ',' or ']', but got '}'"),
        (
            "factor_range: 1",
            "factor_range: 0.9",
            "degrade ends at 7x7 px for a GT of 32x32, which at scale 4 needs 8x8",
        ),
        ("size: 32", "size: 30", "no multiple of the scale 4"),
    ],
)
def test_a_bad_recipe_is_refused(
    old: str, new: str, words: str, build: Run, quick_recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = quick_recipe.read_text()
    assert old in text
    quick_recipe.write_text(text.replace(old, new, 1))
    before = sorted(tmp_path.iterdir())
    says(build(), 2, words)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ("--set gray=true", "options: unknown option 'gray'; did you mean 'grey'?"),
        ("--set grey", "--set grey: write --set option=true"),
        ("--codec gif", "--codec gif is unknown; choose one of qoi, png"),
        ("--codec gif --dry-run", "--codec gif is unknown; choose one of qoi, png"),
        ("--format zip", "argument --format: invalid choice: 'zip'"),
        ("--limit 0", "argument --limit: '0' is no whole number from 1 on"),
        ("--limit 2 --variants 4", "--limit 2 leaves no GT with 4 variants; give 4 or more"),
        ("--variants 0", "argument --variants: '0' is no whole number from 1 on"),
        ("--variants 3", "cannot hold whole GTs with 3 variants each; use --shard-size 3"),
        ("--shard-size many", "argument --shard-size: 'many' is no whole number"),
        ("--workers 2", "--executor inline makes shards in this process: leave out --workers and --ray-address"),
        ("--max-failures -1", "argument --max-failures: '-1' is no whole number from 0 on"),
        ("--recursive", "unrecognized arguments: --recursive"),
    ],
)
def test_a_bad_option_is_refused(extra: str, words: str, build: Run, tmp_path: Path) -> None:
    says(build(*extra.split()), 2, words)
    assert not (tmp_path / "out").exists()


def test_options_that_shape_a_dataset(build: Run, tmp_path: Path) -> None:
    full = tmp_path / "full"
    assert build(out=full)[0] == 0
    assert build("--limit", 10, out=tmp_path / "few")[1].startswith("10 pairs in 3 shards")
    assert build("--limit", 11, "--variants", 2, out=tmp_path / "twins")[1].startswith("10 pairs in 3 shards")
    few, whole = open_dataset(tmp_path / "few"), open_dataset(full)
    assert [few.read(i) for i in range(10)] == [whole.read(i) for i in range(10)]
    assert build(out=tmp_path / "big", **{"shard-size": 100})[1].startswith("24 pairs in 1 shards")
    assert [open_dataset(tmp_path / "big").read(i) for i in range(24)] == [whole.read(i) for i in range(24)]
    assert build("--set", "grey=true", out=tmp_path / "grey")[0] == 0
    assert open_dataset(tmp_path / "grey").info["options"] == {"grey": True}


# --- places that cannot be written or read --------------------------------------------------------------------------


@pytest.fixture
def mortal() -> list[str]:
    """What to put before a command so that permissions count even where the tests run as root."""
    if os.geteuid() != 0:
        return []
    if not shutil.which("setpriv"):
        pytest.skip("NOT TESTED: root may read everything, and setpriv, which takes that from it, is not installed")
    powers = "-dac_override,-dac_read_search"
    return ["setpriv", "--inh-caps", powers, "--bounding-set", powers, "--"]


BUILDS = """
import contextlib, io, json, sys
from degradekit.cli import main
for source, out in json.loads(sys.argv[2]):
    with contextlib.redirect_stdout(io.StringIO()) as said, contextlib.redirect_stderr(io.StringIO()) as errors:
        code = main(["build", sys.argv[1], "--source", source, "--out", out])
    print(json.dumps([code, said.getvalue(), errors.getvalue()]))
"""


def test_what_may_not_be_read_or_written(
    mortal: list[str], quick_recipe: Path, quick_source: Path, tmp_path: Path
) -> None:
    (quick_source / "1.png").chmod(0)
    closed, private = tmp_path / "closed", tmp_path / "private"
    closed.mkdir(0o555)
    shutil.copytree(quick_source, private, ignore=lambda *_: ["1.png"])
    (private / "sub").mkdir(0)
    jobs = [
        (str(quick_source), str(tmp_path / "out")),
        (str(quick_source), str(closed)),
        (str(private), str(tmp_path / "new")),
    ]
    command = [*mortal, sys.executable, "-c", BUILDS, str(quick_recipe), json.dumps(jobs)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    (code, printed, errors), no_room, no_list = (tuple(json.loads(line)) for line in done.stdout.splitlines())
    assert code == 1 and printed.startswith("3 pairs in 1 shards")
    assert "failed: 1.png (1 pair) at read: 1.png cannot be opened (Permission denied)" in errors
    says(no_room, 3, f"{closed}/.tmp cannot be written: Permission denied: allow this user in there")
    assert list(closed.iterdir()) == []
    says(no_list, 2, "private/sub cannot be listed (Permission denied); allow this user to read it")
    assert not (tmp_path / "new").exists()
    (private / "sub").chmod(0o700)


@pytest.mark.parametrize("verb", ["build", "verify", "replay", "inspect"])
def test_a_file_is_no_dataset(verb: str, build: Run, quick_recipe: Path, degradekit: Run) -> None:
    for place in (quick_recipe, quick_recipe / "below"):
        result = build(out=place) if verb == "build" else degradekit(verb, place)
        says(result, 3, f"{place} cannot be listed: Not a directory: give the path of a folder.")
    assert "down:" in quick_recipe.read_text()


def test_a_foreign_folder_is_left_as_it_is(build: Run, quick_source: Path) -> None:
    (quick_source / "self").symlink_to("self")
    before = sorted(quick_source.iterdir())
    for extra in ((), ("--force",)):
        says(
            build(*extra, out=quick_source),
            2,
            f"{quick_source} is not empty and no degradekit dataset (it holds 0.png)",
        )
    assert sorted(quick_source.iterdir()) == before


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """A disk of its own, mounted with the given options, and again with others."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = False

    def mount(options: str) -> Path:
        nonlocal mounted
        options = f"remount,{options}" if mounted else options
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
        try:
            subprocess.run(command, check=True, capture_output=True, text=True)
        except (OSError, subprocess.CalledProcessError) as error:
            reason = getattr(error, "stderr", "") or error
            pytest.skip(f"NOT TESTED: a full or read-only disk, because none can be mounted here ({reason})")
        mounted = True
        return place

    yield mount
    if mounted:
        subprocess.run(["umount", str(place)], check=True)


def pages(out: Path) -> int:
    """KiB that a dataset takes on a disk with pages of 4 KiB."""
    return sum(-(-p.stat().st_size // 4096) * 4 for p in out.rglob("*") if p.is_file() and p.name != "progress.json")


@pytest.mark.parametrize("format", ["parquet", "lmdb"])
@pytest.mark.parametrize("room", ["none", "half", "all but the manifest", "all but one page"])
def test_a_full_disk(room: str, format: str, build: Run, disk: Callable[[str], Path], tmp_path: Path) -> None:
    build(out=tmp_path / "whole", format=format)
    need = pages(tmp_path / "whole")
    size = {"none": 4, "half": need // 8 * 4, "all but the manifest": need - 20, "all but one page": need - 4}[room]
    out = disk(f"size={size}k") / "out"
    for _ in range(2):  # nor does a second try help
        says(build(out=out, format=format), 3, f"{out}/", "cannot be written", "free", "run the same command again")
    before = sidecars(out)
    shards = len(sidecars(tmp_path / "whole"))
    assert {"none": 0, "half": shards // 2, "all but one page": shards}.get(room, len(before)) == len(before)
    assert not (out / "dataset.json").exists()
    disk("size=40m")
    code, printed, _ = build(out=out, format=format)
    assert code == 0 and printed.startswith("24 pairs")
    assert {name: sidecars(out)[name] for name in before} == before, "a committed shard was made again"
    assert files(out) == files(tmp_path / "whole")


def test_a_read_only_disk(build: Run, disk: Callable[[str], Path], degradekit: Run) -> None:
    place = disk("size=4m")
    assert build(out=place / "done")[0] == 0
    before = files(place)
    disk("ro")
    sentence = f"{place}/new/.tmp cannot be written: Read-only file system: choose a folder that can be written."
    says(build(out=place / "new"), 3, sentence)
    says(build("--force", out=place / "done"), 3, "cannot be deleted: Read-only file system")
    assert files(place) == before
    code, printed, _ = build(out=place / "done")
    assert code == 0 and "nothing to do" in printed
    for verb in ("verify", "replay", "inspect"):
        assert degradekit(verb, place / "done")[0] == 0


# --- datasets that were changed -------------------------------------------------------------------------------------


def test_a_flipped_byte_is_found_and_the_shard_made_again(build: Run, degradekit: Run, tmp_path: Path) -> None:
    build(out=tmp_path / "whole")
    build()
    out = tmp_path / "out"
    record = open_dataset(out).read(9)
    assert not isinstance(record, Tombstone)
    shard = out / "data/shard-000002.parquet"
    data = bytearray(shard.read_bytes())
    data[data.index(bytes(record.lq.data)) + len(record.lq.data) // 2] ^= 1
    shard.write_bytes(data)
    code, printed, errors = degradekit("verify", out, "--workers", 1)
    found = printed.splitlines()
    assert errors == "to make a damaged shard again, delete its file and run the same build\n"
    assert code == 1 and found[-1] == "1 problems in 24 pairs and 0 tombstones in 6 shards"
    assert f"{shard}: row 1 (sample '{record.key}', variant 0), lq: " in found[0]
    assert "fails its checksum" in found[0]
    for verb in ("replay", "inspect"):
        says(degradekit(verb, out, "--key", record.key), 3, str(shard), "row 1", "lq", "fails its checksum")
    shard.unlink()
    assert build()[0] == 0
    assert files(out) == files(tmp_path / "whole")


@pytest.mark.parametrize("name", ["manifest.parquet", "dataset.json"])
def test_a_manifest_that_was_edited_is_refused(name: str, build: Run, degradekit: Run, tmp_path: Path) -> None:
    build(out=tmp_path / "whole")
    build()
    out = tmp_path / "out"
    data = (out / name).read_bytes()
    (out / name).write_bytes(data[:999] + bytes([data[999] ^ 1]) + data[1000:])
    for verb in ("verify", "replay", "inspect"):
        says(degradekit(verb, out), 3, f"{out}/{name} ", "restore it, or delete", "run the same build again")
    (out / "dataset.json").unlink()  # the remedy that the message gives
    assert build()[0] == 0
    assert files(out) == files(tmp_path / "whole")


def test_other_files_that_were_edited(build: Run, degradekit: Run, tmp_path: Path) -> None:
    build()
    out = tmp_path / "out"
    (out / "quarantine.jsonl").write_text("{}\n")
    sidecar = out / "data/_shard-000001.json"
    sidecar.write_text(sidecar.read_text().replace('"number": 1', '"number": 2'))
    code, printed, _ = degradekit("verify", out, "--workers", 1)
    assert code == 1 and printed.splitlines()[-1].startswith("2 problems")
    assert f"{out}/quarantine.jsonl was changed after it was written" in printed
    assert f"{sidecar} was changed after it was written" in printed
    plan = json.loads((out / "plan.json").read_text())
    (out / "plan.json").write_text(json.dumps(plan | {"seed": 7}))
    says(build(), 2, f"{out} holds another build: seed was 7 and is 0")
    (out / "plan.json").write_text('{"seed":')
    says(build(), 3, f"{out}/plan.json is no plan any more", "--force")
    assert build("--force")[0] == 0
    assert verify_dataset(out) == []


def test_force_deletes_what_degradekit_made_and_no_more(build: Run, tmp_path: Path, degradekit: Run) -> None:
    build()
    out = tmp_path / "out"
    (out / "data/thesis.txt").write_text("mine")
    (out / "notes.txt").write_text("mine")
    code, printed, _ = build("--force", "--seed", 1)
    assert code == 0 and printed.startswith("24 pairs")
    assert (out / "data/thesis.txt").read_text() == (out / "notes.txt").read_text() == "mine"
    assert open_dataset(out).info["seed"] == 1


def test_a_deletion_that_is_cut_short_can_be_forced_again(
    build: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from degradekit.storage import LocalStore

    build(out=tmp_path / "whole")
    delete = LocalStore.delete
    for last in ("dataset.json", "data/_shard-000003.json", "data/shard-000002.parquet", "plan.json"):
        build()

        def until(store: LocalStore, name: str, last: str = last) -> None:
            if name == last:
                raise KeyboardInterrupt
            delete(store, name)

        monkeypatch.setattr(LocalStore, "delete", until)
        assert build("--force")[0] == 130
        monkeypatch.setattr(LocalStore, "delete", delete)
        assert build()[0] == 0, "what is left is a sound part of the same build"
        assert files(tmp_path / "out") == files(tmp_path / "whole")
    monkeypatch.setattr(LocalStore, "delete", until)
    build("--force")
    monkeypatch.setattr(LocalStore, "delete", delete)
    assert build("--force", "--seed", 1)[0] == 0
