"""``degradekit audit``: its outputs and exit codes."""

import json
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest

from degradekit.cli import main
from tests.degradekit.audit import catalogue as c


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    recipe = c.recipe_of()
    place = tmp_path_factory.mktemp("audited")
    c.store(place / "good", [c.make(i, recipe) for i in range(48)], recipe, shard=24)
    wrong = [c.make(i, recipe) for i in range(32)]
    c.store(place / "bad", c.spoiled(wrong, c.gamma), recipe, shard=16, planless=True)
    return place


def audited(folder, name, *words):
    return main(["audit", str(folder / name), "--workers", "1", "--replay", "4", *words])


def test_a_good_dataset(folder, capsys):
    assert audited(folder, "good") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "16 checks passed, 48 of 48 pairs looked at (defect rate < 6.1 % at 95 %)"
    assert any(line.split()[:2] == ["replay", "ok"] for line in lines)


@pytest.mark.parametrize(("fail_on", "code"), [("error", 1), ("warning", 1), ("info", 1), ("never", 0)])
def test_findings_decide_the_exit_code(folder, fail_on, code):
    assert audited(folder, "bad", "--fail-on", fail_on) == code


def test_every_output_says_the_same(folder, tmp_path, capsys):
    files = {name: tmp_path / f"audit.{name}" for name in ("json", "junit", "markdown")}
    options = [word for name, file in files.items() for word in (f"--{name}", str(file))]
    assert audited(folder, "bad", *options) == 1
    found = json.loads(files["json"].read_text())
    assert found["schema_version"] == 1
    assert found["severity"] == "error"
    colour = next(result for result in found["results"] if result["name"] == "colour")
    message = colour["findings"][0]["message"]
    assert message in capsys.readouterr().out
    assert colour["findings"][0]["pairs"][0]["key"].endswith(".png#whole")
    assert {item["kind"] for item in colour["evidence"]} == {"histogram"}
    assert len(found["sample"]["index"]) == len(found["sample"]["values"]["noise"]) == 32
    suite = ElementTree.parse(files["junit"]).getroot()
    assert suite.attrib["tests"] == str(len(found["results"]))
    assert suite.attrib["failures"] == "1"
    failed = [case.attrib["name"] for case in suite if case.find("failure") is not None]
    skipped = {case.attrib["name"] for case in suite if case.find("skipped") is not None}
    assert failed == ["colour"]
    assert skipped == {result["name"] for result in found["results"] if result["status"] == "not_run"}
    assert "| error | colour |" in files["markdown"].read_text()


def test_unusable_arguments(folder, tmp_path, capsys):
    assert audited(folder, "good", "--only", "colours") == 2
    assert "choose from integrity" in capsys.readouterr().err
    assert audited(folder, "good", "--json", str(tmp_path / "none" / "a.json"), "--only", "headers") == 2
    assert audited(folder, "nothing") == 3
    (tmp_path / "empty").mkdir()
    assert audited(folder, "good", "--real", str(tmp_path / "empty")) == 2


def test_an_interrupted_audit_says_so(folder, monkeypatch, capsys, tmp_path):
    from degradekit.audit import gather

    calls = iter(range(99))
    look_at = gather.look_at

    def stopped(*args, **kwargs):
        if next(calls) == 2:
            raise KeyboardInterrupt
        return look_at(*args, **kwargs)

    monkeypatch.setattr(gather, "look_at", stopped)
    assert audited(folder, "good", "--json", str(tmp_path / "a.json")) == 130
    found = json.loads((tmp_path / "a.json").read_text())
    assert found["partial"]
    assert 0 < len(found["sample"]["index"]) < 48
    assert capsys.readouterr().out.splitlines()[-1].startswith("partial audit, interrupted")


def test_processes_find_the_same(folder):
    from degradekit.audit.gather import Options
    from degradekit.audit.run import audit
    from degradekit.shards.dataset import open_dataset

    dataset = open_dataset(folder / "bad")
    one, two = (audit(dataset, options=Options(workers=workers)).to_json() for workers in (1, 2))
    for found in (one, two):
        del found["seconds"]
    assert one == two


def test_a_sample_is_spread_over_the_shards(folder):
    from degradekit.audit.look import choose
    from degradekit.shards.dataset import open_dataset

    dataset = open_dataset(folder / "good")
    chosen = choose(dataset, 11)
    assert {number: len(rows) for number, rows in chosen.items()} in ({0: 5, 1: 6}, {0: 6, 1: 5})
    assert choose(dataset, 11) == chosen != choose(dataset, 11, seed=1)
    assert sum(len(rows) for rows in choose(dataset, 10**6).values()) == 48


def test_keys_with_control_characters_stay_printable(tmp_path, capsys):
    recipe = c.recipe_of()
    odd = [replace(c.make(i, recipe), key=f"bell\x07{i}<&|.png") for i in range(16)]
    c.store(tmp_path / "odd", c.spoiled(odd, lambda made: replace(made, lq=np.flip(made.lq, 2))), recipe, planless=True)
    code = audited(tmp_path, "odd", "--junit", str(tmp_path / "a.xml"))
    assert code == 1
    ElementTree.parse(tmp_path / "a.xml")
    assert "\x07" not in capsys.readouterr().out
