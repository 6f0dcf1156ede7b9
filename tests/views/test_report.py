"""The decision report: what it says, what it leaves open, and texts that look like code."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from rerank_lab.core.types import Document, Query
from rerank_lab.decision.cost import CostTerms
from rerank_lab.decision.report.svg import (
    CurveMark,
    IntervalMark,
    PointMark,
    curve_chart,
    interval_chart,
    nice_ticks,
    point_chart,
)
from rerank_lab.decision.requirements import Requirements
from rerank_lab.evaluation.experiments import Evaluation, score
from rerank_lab.evaluation.experiments.environment import ComponentState, Environment
from rerank_lab.views.report import report_file
from rerank_lab.views.report.numbers import annotated, count, number
from tests.views import evaluations
from tests.views.reports import evidence_of, kept_studies

FIRST, BETTER, THIRD = "bm25", "bm25 >> identity", "bm25 >> overlap"
HOSTILE = "</td><script>alert(1)</script><img src=x onerror=alert(2)>&\x00\ud800"
ALLOWED = {
    "html", "head", "meta", "title", "style", "body", "header", "h1", "h2", "p", "nav", "ol", "ul",
    "li", "a", "main", "section", "div", "table", "caption", "thead", "tbody", "tr", "th", "td",
    "data", "sup", "span", "code", "pre", "strong", "figure", "figcaption", "svg", "text", "line",
    "circle", "g", "polyline",
}  # fmt: skip


class Page(HTMLParser):
    """Tags and attributes of a page, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "main":
            self.text = ""

    def handle_data(self, data: str) -> None:
        self.text += data


def clear() -> Evaluation:
    """Twelve queries on which one pipeline is better than two others that are alike."""
    return evaluations.evaluation({FIRST: [3] * 12, BETTER: [1] * 12, THIRD: [3] * 11 + [2]})


def html_of(evaluation: Evaluation) -> str:
    return report_file(evidence_of(evaluation), "html").decode()


def hostile() -> Evaluation:
    """Queries, ids and a corpus that hold markup."""
    base = clear()
    queries = tuple(Query(query.id, f"{HOSTILE} {query.id}") for query in base.design.queries)
    return score(replace(base.design, queries=queries, corpus=HOSTILE), base.cells.values())


def test_the_answer_comes_first_and_every_part_is_there() -> None:
    text = " ".join(Page(html_of(clear())).text.split())
    assert text.index("Take bm25 >> identity.") < text.index("Results")
    assert "On 12 queries, identity beats bm25 by 0.67 RR@10 [+0.67, +0.67]" in text
    for title in (
        "Differences", "Quality, speed, price and terms", "Recall ceilings", "Gains and losses",
        "What could change the winner", "What became of every query", "Where this comes from",
    ):  # fmt: skip
        assert title in text
    assert "Largest losses: none." in text
    assert "identity has the best mean by every other measure looked at." in text
    assert "0123456789abcdef" in text


def test_what_is_missing_is_said() -> None:
    text = Page(html_of(clear())).text
    assert "Not studied yet: open Depth below the results on Evaluate." in text
    assert "load: latency when queries come faster than one at a time" in text
    assert "Missing: the price of an hour of your hardware" in text
    assert "There is no corpus 'hand made' here." in text
    nothing = Page(html_of(evaluations.evaluation({FIRST: [1, 2]}, judged=False))).text
    assert "Nothing is judged here" in nothing
    assert "Take" not in nothing


def test_one_pipeline_is_not_compared_with_anything() -> None:
    page = html_of(evaluations.evaluation({FIRST: [1]}))
    assert "What could change the winner" not in page
    assert "Differences" not in page
    header = re.sub("<[^>]*>", "", page[page.index("subtitle") : page.index("<nav")])
    assert "1 query, 1 pipeline by RR@10. Evaluated 2026-11-21." in header


def test_a_tie_does_not_change_the_winner() -> None:
    tied = evaluations.evaluation({FIRST: [2] * 9, BETTER: [1] * 9})
    text = " ".join(Page(html_of(tied)).text.split())
    assert "identity has the best mean whether all of them are relevant" in text


def test_requirements_and_who_falls_for_them_are_named() -> None:
    required = Requirements(p95=0.15)
    page = report_file(evidence_of(clear(), required=required), "html").decode()
    text = " ".join(Page(page).text.split())
    assert "No pipeline meets all of these requirements." in text
    assert "p95 of at most 150 ms a query" in text
    assert "bm25: p95 is 200 ms, above 150 ms." in text


def test_cost_and_environment_are_told_where_they_are_known() -> None:
    text = " ".join(Page(html_of(clear())).text.split())
    assert "Missing: the price of an hour of your hardware" in text
    assert "Environmentnot recorded with this experiment" in text
    terms = CostTerms(1_000_000, usd_per_hour=2.0)
    evidence = evidence_of(clear(), required=Requirements(terms=terms))
    environment = Environment(
        "2026-11-21T00:00:00+00:00", "3.12.4", "Linux x86_64", 8, {"numpy": "2.4.1"},
        {"bm25": ComponentState("f00d")}, {"big-model": ("big-model-0613",)},
    )  # fmt: skip
    evidence = replace(evidence, environments=(environment,), names={BETTER: "our best"})
    text = " ".join(Page(report_file(evidence, "html").decode()).text.split())
    assert "a bm25$1.46$1,460.00" in text
    assert "Linux x86_64, 8 processors, Python 3.12.4" in text
    assert "numpy 2.4.1" in text
    assert "f00d" in text
    assert "Answers of big-modelbig-model-0613" in text
    assert "Take our best." in text


@pytest.mark.parametrize("kind", ["html", "md"])
def test_texts_from_outside_stay_texts(kind: str) -> None:
    documents = [Document("right", HOSTILE, HOSTILE)]
    evidence = evidence_of(hostile(), documents=documents)
    page = report_file(evidence, "html" if kind == "html" else "md").decode()
    assert "<script" not in page
    assert "<img" not in page
    assert "\x00" not in page
    assert "alert(1)" in page.replace("\\", "")


def test_the_page_loads_nothing_and_runs_nothing() -> None:
    page = Page(html_of(hostile()))
    assert {tag for tag, _ in page.tags} <= ALLOWED
    for _, attributes in page.tags:
        assert not {name for name in attributes if name.startswith("on")}
        assert not {"src", "srcset", "xlink:href"} & set(attributes)
        assert (attributes.get("href") or "#").startswith("#")
    assert "url(" not in html_of(clear())
    assert "default-src 'none'" in html_of(clear())


def test_links_lead_to_sections_and_charts_have_titles() -> None:
    page = html_of(clear())
    anchors = re.findall(r'href="#(\w+)"', page)
    assert anchors == re.findall(r'<section id="(\w+)"', page)
    charts = re.findall(r"<svg.*?</svg>", page)
    assert len(charts) == 2
    for chart in charts:
        assert ElementTree.fromstring(chart).attrib["aria-label"]


def test_studies_have_their_curve_and_their_table() -> None:
    evidence = evidence_of(clear(), studies=kept_studies(FIRST, BETTER))
    page = report_file(evidence, "html").decode()
    text = " ".join(Page(page).text.split())
    assert page.count("<polyline") == 4
    assert "50 candidates, the most tried, rank best (RR@10 0.500)" in text
    assert "identity520.20 s0.31 smore than 2.50 s" in text
    assert "First stagealoneidentity bm250.4000.500" in text
    assert "search: better settings" in text
    assert "latency when queries come faster" not in text
    damaged = tuple(replace(one, result={"kind": "other"}) for one in evidence.studies)
    shown = report_file(replace(evidence, studies=damaged), "html").decode()
    assert "Not studied yet: open Depth" in shown


def test_the_same_evidence_gives_the_same_bytes() -> None:
    assert html_of(clear()) == html_of(clear())
    dated = re.findall(r"\d{4}-\d\d-\d\d", html_of(clear()))
    assert set(dated) == {"2026-11-21"}


def test_markdown_has_the_numbers_of_the_page() -> None:
    evidence = evidence_of(clear())
    page = report_file(evidence, "html").decode()
    markdown = report_file(evidence, "md").decode().replace("\\", "").replace("&lt;", "<")
    for printed in re.findall(r"<data[^>]*>([^<]*)</data>", page):
        assert printed.replace("&lt;", "<") in markdown


def test_numbers_in_a_sentence_are_marked_one_by_one() -> None:
    numbers = [count(20, "wins"), count(20, "losses"), number("0.05", 0.052, "difference")]
    words = annotated("m20@10: 0.05 by 20 wins, 20 losses, 120 or 20.5.", numbers, ["m20@10"])
    marked = [word for word in words if not isinstance(word, str)]
    assert [getattr(word, "quantity", word.text) for word in marked] == [
        "m20@10", '["difference"]', '["wins"]', '["losses"]',
    ]  # fmt: skip


def test_names_on_either_side_of_a_gap_do_not_lie_on_each_other() -> None:
    points = [
        PointMark(name, *[IntervalMark("", value, None, None, 0) for value in (x, 0.5)], 0)
        for name, x in (("bm25 >> overlap", 0.044), ("bm25(b=0.0) >> mmr", 0.072))
    ]
    texts = ElementTree.fromstring(point_chart(points, "t", "x", "y")).iter("text")
    heights = [float(one.get("y", "0")) for one in texts if ">>" in (one.text or "")]
    assert abs(heights[0] - heights[1]) >= 15


def test_charts_are_drawn_to_scale() -> None:
    assert nice_ticks(0.0, 1.0) == [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert nice_ticks(0.5, 0.5)[0] < 0.5 < nice_ticks(0.5, 0.5)[-1]
    marks = [IntervalMark("a", 0.1, 0.0, 0.2, 0), IntervalMark("b", -0.1, None, None, 1)]
    svg = ElementTree.fromstring(interval_chart(marks, "title", "axis"))
    circles = [float(one.attrib["cx"]) for one in svg.iter("circle")]
    zero = next(one for one in svg.iter("line") if one.attrib.get("class") == "zero")
    middle = float(zero.attrib["x1"])
    assert circles[0] - middle == pytest.approx(middle - circles[1], abs=0.2)
    assert circles[0] > middle
    curve = curve_chart(
        [CurveMark("l12", ((5, 0.4), (50, 0.5), (500, 0.45)), 0)], "t", "n", "m", log_x=True
    )
    points = next(ElementTree.fromstring(curve).iter("polyline")).attrib["points"].split()
    xs = [float(point.split(",")[0]) for point in points]
    assert xs[1] - xs[0] == pytest.approx(xs[2] - xs[1], abs=0.2)
    near = [PointMark(name, marks[0], marks[0], 0) for name in ("one", "two")]
    names = [one for one in ElementTree.fromstring(point_chart(near, "t", "x", "y")).iter("text")
             if one.text in {"one", "two"}]  # fmt: skip
    assert abs(float(names[0].attrib["y"]) - float(names[1].attrib["y"])) >= 12
