"""A newcomer's path: from the sample to a decision that can be shown to others."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.browser.conftest import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

Visit = Callable[..., Visitor]
PIPELINES = ["bm25", "bm25 >> overlap", "bm25(b=0.0) >> mmr"]
COUNT_CLICKS = """
window.clicks = 0;
window.addEventListener('click', event => { window.clicks += event.isTrusted }, true);
"""


def test_from_the_sample_to_a_report_and_golden_cases_in_under_ten_clicks(
    visit: Visit, tmp_path: Path
) -> None:
    visitor = visit()
    page = visitor.page
    page.add_init_script(COUNT_CLICKS)
    visitor.go(p=PIPELINES)
    visitor.key("chips").get_by_text("overlap").first.wait_for()
    page.get_by_role("link", name="Evaluate").click()
    queries = visitor.key("evaluate_setup").locator("[class*='st-key-count_']")
    queries.locator("input").click()
    page.get_by_role("option", name="first 10", exact=True).click()
    visitor.press("evaluate")
    visitor.key("to_choose").wait_for(timeout=60_000)
    visitor.press("to_choose")
    page.wait_for_url("**/choose?**exp=*")
    visitor.wait_for_text("Who remains")
    answer = page.locator(".rl-verdict").inner_text()
    assert answer.startswith(("Take ", "The data cannot decide between "))
    page.locator(".st-key-choose_chart .scatterlayer .trace").nth(2).wait_for()
    with page.expect_download() as download:
        visitor.press("choose_report_html")
    report = tmp_path / "report.html"
    download.value.save_as(report)
    assert answer.split(" between ")[0].rstrip(".") in report.read_text("utf-8")
    with page.expect_download() as download:
        visitor.press("choose_golden")
    clicks = page.evaluate("window.clicks")
    assert 0 < clicks < 10
    download.value.save_as(tmp_path / "golden.zip")
    assert_golden_cases_pass(tmp_path)
    assert_a_cell_of_the_heat_map_opens_its_query(visitor, page.url.partition("exp=")[2][:20])
    assert visitor.left == []


def assert_a_cell_of_the_heat_map_opens_its_query(visitor: Visitor, experiment_id: str) -> None:
    """A click on a cell, and the way back."""
    page = visitor.go("evaluate", p=PIPELINES, exp=experiment_id, question="helps")
    cell = visitor.key("query_heat").locator(".bars .point").first
    cell.wait_for()
    cell.scroll_into_view_if_needed()
    place = cell.bounding_box()
    page.mouse.move(place["x"] + 8, place["y"] + place["height"] / 2)
    visitor.key("query_heat").locator(".hoverlayer .hovertext").first.wait_for()
    page.mouse.down()
    page.mouse.up()
    page.wait_for_url("**of=hd-q**")
    visitor.key("query_bump").wait_for()
    page.go_back()
    visitor.key("query_bump").wait_for(state="detached")
    assert "of=" not in page.evaluate("location.href")


def assert_golden_cases_pass(folder: Path) -> None:
    """Run the saved file as its receiver does: alone, with a data folder of its own."""
    cases = folder / "golden"
    with zipfile.ZipFile(folder / "golden.zip") as archive:
        archive.extractall(cases)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(cases)],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=cases,
        env=os.environ | {"RERANK_LAB_HOME": str(folder / "home")},
    )
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout
