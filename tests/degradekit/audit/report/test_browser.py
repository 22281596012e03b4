"""The page in a real browser: no error, no request, and everything that it offers works."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
FLAGS = (
    "headless=new no-sandbox disable-gpu disable-quic no-first-run disable-background-networking "
    "disable-component-update disable-sync disable-dev-shm-usage"
)


@pytest.fixture(scope="module")
def downloads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("downloads")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory, downloads: Path) -> Iterator[Any]:
    if not (CHROMIUM and DRIVER):
        pytest.skip("THE REPORT IS NOT TESTED IN A BROWSER: install Debian's packages chromium and chromium-driver")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS.split(), f"user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(f"--{flag}")
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture(params=[(1440, 900), (390, 844)], ids=["desktop", "phone"])
def opened(request: pytest.FixtureRequest, browser: Any, page: SimpleNamespace) -> Iterator[Any]:
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": request.param[0], "height": request.param[1], "deviceScaleFactor": 1, "mobile": False},
    )
    browser.get("about:blank")
    browser.get_log("performance"), browser.get_log("browser")
    browser.get(page.file.as_uri())
    browser.execute_script("localStorage.clear()")
    browser.refresh()
    yield browser
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
    requests = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [m["params"]["request"]["url"] for m in requests if m["method"] == "Network.requestWillBeSent"]
    assert asked, "the log must have seen the page itself"
    assert all(url.startswith(("file:", "data:", "blob:")) for url in asked)


def wait(condition: Callable[[], Any], seconds: float = 10) -> Any:
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)
    return found


def visible(browser: Any) -> list[int]:
    script = "return [...document.querySelectorAll('.pair')].filter(e => !e.hidden).map(e => +e.dataset.index)"
    found: list[int] = browser.execute_script(script)
    return found


def choose(browser: Any, selector: str, value: str) -> None:
    browser.execute_script(
        "const e = document.querySelector(arguments[0]); e.value = arguments[1];"
        "e.dispatchEvent(new Event(e.type === 'search' ? 'input' : 'change', {bubbles: true}))",
        selector,
        value,
    )


def press(browser: Any, keys: str) -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    ActionChains(browser).send_keys(keys).perform()


def canvas(browser: Any, name: str = "left") -> list[int]:
    """The values of every 16th row of a canvas, as the browser has them."""
    script = (
        "const c = document.getElementById(arguments[0]), pen = c.getContext('2d'), all = [];"
        "for (let y = 0; y < c.height; y += 16) all.push(...pen.getImageData(0, y, c.width, 1).data);"
        "return all"
    )
    found: list[int] = browser.execute_script(script, name)
    return found


def open_first(browser: Any) -> int:
    browser.execute_script("document.querySelector('.pair:not([hidden]) [data-open]').click()")
    wait(lambda: browser.execute_script("return document.querySelector('dialog').open"))
    wait(lambda: any(canvas(browser)))
    return visible(browser)[0]


def test_nothing_sticks_out(opened: Any) -> None:
    script = (
        "return [...document.querySelectorAll('body *')].filter(e => !e.closest('.scroll, dialog, .skip') &&"
        "e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 80))"
    )
    assert opened.execute_script(script) == []


def test_filter_search_and_sort(opened: Any) -> None:
    everything = visible(opened)
    choose(opened, "#filter", "alignment")
    named = visible(opened)
    assert len(named) == 3
    assert set(named) < set(everything)
    choose(opened, "#filter", "all")
    key = opened.execute_script("return JSON.parse(document.querySelector('#pairs').textContent).pairs[0].key")
    choose(opened, "#search", key.upper())
    assert 1 <= len(visible(opened)) <= 2
    choose(opened, "#search", "")
    choose(opened, "#sort", "measured/psnr_y")
    psnr = opened.execute_script(
        "const pairs = JSON.parse(document.querySelector('#pairs').textContent).pairs;"
        "const d = new Map(pairs.map(p => [p.index, p.measured.psnr_y]));"
        "return [...document.querySelectorAll('.pair')].map(e => d.get(+e.dataset.index))"
    )
    assert psnr == sorted(psnr)


def test_inspector(opened: Any) -> None:
    index = open_first(opened)
    assert "#pair=" in opened.current_url
    gt, lq = canvas(opened, "left"), canvas(opened, "right")
    assert gt != lq
    recorded = opened.find_element("css selector", "#recorded").text
    assert "deg.jpeg1.quality" in recorded
    press(opened, "z")
    assert "×2" in opened.find_element("id", "zoom").text
    enlarged = canvas(opened)
    assert enlarged != gt
    assert len({tuple(enlarged[i : i + 4]) for i in range(0, 64, 4)}) <= 2, "pixels stay squares"
    for _ in range(3):
        press(opened, "z")
    assert canvas(opened) == gt, "the fourth time is the first zoom again"
    press(opened, "d")
    difference = canvas(opened)
    i = max(range(0, len(gt), 4), key=lambda at: abs(gt[at] - lq[at]))
    assert difference[i] == min(255, 8 * abs(gt[i] - lq[i]))
    press(opened, "w")
    choose(opened, "#slider", "100")
    opened.execute_script("document.querySelector('#slider').dispatchEvent(new Event('input'))")
    assert canvas(opened)[:2000] == gt[:2000]
    press(opened, "s")
    from selenium.webdriver.common.keys import Keys

    press(opened, Keys.ARROW_RIGHT)
    following = visible(opened)[1]
    wait(lambda: f"index {following} ·" in opened.find_element("id", "pairtell").text)
    press(opened, Keys.ARROW_LEFT)
    wait(lambda: f"index {index} ·" in opened.find_element("id", "pairtell").text)
    press(opened, Keys.ESCAPE)
    wait(lambda: not opened.execute_script("return document.querySelector('dialog').open"))


def test_blink_alternates_and_respects_reduced_motion(opened: Any) -> None:
    open_first(opened)

    def label() -> str:
        text: str = opened.find_element("css selector", ".now").text
        return text

    press(opened, " ")
    wait(lambda: label() == "LQ")
    wait(lambda: label() == "GT")
    press(opened, "s")
    opened.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-reduced-motion", "value": "reduce"}]}
    )
    press(opened, " ")
    still = label()
    time.sleep(1.2)
    assert label() == still, "nothing moves by itself"
    press(opened, " ")
    assert label() != still
    opened.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_flag_and_drop_list(opened: Any, downloads: Path, audit: Any) -> None:
    index = open_first(opened)
    press(opened, "f")
    assert opened.find_element("id", "flag").get_attribute("aria-pressed") == "true"
    opened.execute_script("document.querySelector('dialog').close()")
    assert opened.find_element("id", "flagcount").text == "1 pair flagged"
    for old in downloads.iterdir():
        old.unlink()
    opened.find_element("id", "save").click()
    file = downloads / "drop.json"
    wait(file.exists)
    drop = json.loads(file.read_text())
    assert drop["dataset_id"] == audit.dataset.dataset_id
    assert [pair["index"] for pair in drop["drop"]] == [index]
    opened.find_element("id", "unflag").click()
    assert not opened.find_element("id", "flagbar").is_displayed()


def test_permalink(opened: Any, page: SimpleNamespace) -> None:
    open_first(opened)
    link, name = opened.current_url, opened.find_element("id", "pairname").text
    opened.get("about:blank")
    opened.get(link)
    wait(lambda: opened.execute_script("return document.querySelector('dialog').open"))
    assert opened.find_element("id", "pairname").text == name


def test_without_javascript_everything_but_the_inspector_is_there(browser: Any, page: SimpleNamespace) -> None:
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.get(page.file.as_uri())
        text = browser.find_element("tag name", "body").text
        assert "need JavaScript" in text
        assert "Inspect" not in text
        assert "LQ lies on its GT" in text
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
