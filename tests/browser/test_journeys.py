"""What people do with the app, in a real browser against a real server."""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from rerank_lab.testing.chat_server import FakeChat, sorter
from rerank_lab.testing.provider_servers import overlap
from tests.browser.conftest import Visitor
from tests.browser.server import Server

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

QUERY = "start work from my watch"
SLOW = "bm25 >> slow(top=20)"
Visit = Callable[..., Visitor]


def titles(visitor: Visitor, slot: int) -> list[str]:
    """The titles in one column, once they stand still."""
    buttons = visitor.key(f"col_{slot}").locator("[class*='st-key-title_'] button")
    buttons.first.wait_for()
    shown: list[str] = []
    while not shown or shown != (shown := buttons.all_inner_texts()):
        shown = buttons.all_inner_texts()
        visitor.page.wait_for_timeout(400)
    return [title.strip() for title in shown]


def corpus(visitor: Visitor) -> str:
    """The corpus that is chosen at the side."""
    return str(visitor.key("corpus").locator("input").input_value())


def rows(tmp_path: Path, text: str, name: str = "notes.csv") -> str:
    file = tmp_path / name
    file.write_text(text, "utf-8")
    return str(file)


def test_a_pasted_link_shows_the_same_screen_on_a_fresh_server(
    visit: Visit, server: Server, servers: Callable[[], Server]
) -> None:
    link: dict[str, Any] = {
        "corpus": "science-answers",
        "q": "why is the sky blue",
        "p": ["bm25", "bm25(b=0.0) >> identity"],
        "depth": "20",
        "show": "5",
    }
    first = visit(servers())
    page = first.go(**link)
    shown = [titles(first, 0), titles(first, 1)]
    assert [len(column) for column in shown] == [5, 5]
    assert page.locator(".st-key-q input").input_value() == "why is the sky blue"
    assert corpus(first) == "science-answers"
    second = visit(server)
    second.go(**link)
    assert [titles(second, 0), titles(second, 1)] == shown


def test_enter_brings_the_bm25_column_at_once(visit: Visit, record_testsuite_property: Any) -> None:
    visitor = visit()
    page = visitor.go(p=["bm25"])
    box = page.locator(".st-key-q input")
    box.fill("forgot password")
    box.press("Enter")
    titles(visitor, 0)
    page.wait_for_timeout(500)
    box.fill(QUERY)
    head = page.locator(".st-key-col_0 .rl-name").first
    began = time.perf_counter()
    box.press("Enter")
    page.wait_for_url("**q=start**")
    page.locator(".st-key-col_0").get_by_text("watch").first.wait_for()
    seconds = time.perf_counter() - began
    record_testsuite_property("bm25_column_s", round(seconds, 3))
    assert head.inner_text() == "bm25"
    assert seconds < 3


def test_quick_columns_do_not_wait_for_slow_ones(visit: Visit, server: Server) -> None:
    visitor = visit()
    hold = server.calls.with_name(server.calls.name + ".hold")
    hold.touch()
    try:
        visitor.go(q="how do I export hours", p=["bm25", "bm25 >> slow(top=5)"])
        slow = visitor.key("col_1")
        visitor.key("col_0").locator("[class*='st-key-title_'] button").first.wait_for()
        assert slow.locator("[class*='st-key-card']").count() == 0
        slow.get_by_role("button", name="Cancel").wait_for()
    finally:
        hold.unlink()
    assert len(titles(visitor, 1)) == 10
    assert slow.get_by_role("button", name="Cancel").count() == 0


def test_a_page_with_all_its_results_asks_the_server_for_nothing(visit: Visit) -> None:
    visitor = visit()
    page = visitor.page
    sent: list[str | bytes] = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(frame)))
    visitor.go(q=QUERY, p=["bm25", "bm25 >> identity"], show="5")
    titles(visitor, 1)
    visitor.wait_for_text("No jobs running")
    page.wait_for_timeout(500)
    assert sent
    sent.clear()
    page.wait_for_timeout(1500)
    assert sent == []


def test_a_document_is_graded_by_its_menu_with_the_keyboard(visit: Visit) -> None:
    visitor = visit()
    page = visitor.go(corpus="helpdesk", q=QUERY, p=["bm25"], show="5")
    titles(visitor, 0)
    card = visitor.key("card_0_2")
    card.get_by_role("button", name="Grade").focus()
    page.keyboard.press("Enter")
    menu = page.get_by_role("menu", name="Grade")
    menu.wait_for()
    assert menu.get_by_role("menuitem").count() == 5
    page.keyboard.press("Escape")
    menu.wait_for(state="detached")
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    visitor.wait_for_text("Who is judging?")
    page.get_by_label("Name", exact=True).fill("Ann")
    page.get_by_role("button", name="Save the grade").click()
    card.get_by_role("button", name="You: 2").wait_for()


def test_two_people_share_one_computation(visit: Visit, server: Server) -> None:
    query = "who can see my phone number"
    first, second = visit(), visit()
    first.go(q=query, p=[SLOW])
    shown = titles(first, 0)
    calls = server.count_calls(query)
    assert calls == 4
    second.go(q=query, p=[SLOW])
    assert titles(second, 0) == shown
    assert server.count_calls(query) == calls


def test_a_saved_comparison_is_shown_again_and_nothing_is_asked(
    visit: Visit, server: Server
) -> None:
    query = "change my phone number"
    first = visit()
    page = first.go(q=query, p=["bm25", SLOW], show="5")
    shown = [titles(first, 0), titles(first, 1)]
    calls = server.count_calls(query)
    page.locator(".st-key-save_comparison button:not([disabled])").first.click()
    first.wait_for_text("It opens without a key")
    page.locator("[class*='st-key-saved_open_'] button").first.click()
    first.wait_for_text("nothing was asked")
    page.wait_for_url("**saved=*")
    second = visit(width=800)
    second.go(saved=page.url.rpartition("saved=")[2][:16])
    second.wait_for_text("nothing was asked")
    assert [titles(second, 0), titles(second, 1)] == shown
    assert server.count_calls(query) == calls
    assert second.left == []


def test_a_prompt_is_copied_edited_used_and_deleted(
    visit: Visit, servers: Callable[[], Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RERANK_LAB_ALLOW_PRIVATE_URLS", "1")
    with FakeChat(sorter(overlap), keys=()) as chat:
        visitor = visit(servers(), width=800)
        spec = f'bm25 >> listwise(base_url="{chat.url}",model="m",top=4,form="rankllm")'
        page = visitor.go(q=QUERY, p=["bm25", spec], show="5")
        assert len(titles(visitor, 1)) == 5
        visitor.press("edit_1")
        page.locator("[class*='_prompt_copy'] button").first.click()
        visitor.wait_for_text("What would be sent")
        page.wait_for_timeout(500)
        box = visitor.key("prompt_text").locator("textarea")
        text = box.input_value()
        box.fill(text.replace("{query}", "{quary}"))
        box.press("Control+Enter")
        visitor.wait_for_text("unknown placeholder {quary}")
        box.fill(text.replace("You order", "You, a librarian, order"))
        box.press("Control+Enter")
        visitor.wait_for_text("Nothing is wrong with it.")
        visitor.press("prompt_save")
        visitor.press("editor_use")
        page.wait_for_url("**rankllm-copy**")
        visitor.key("editor_use").wait_for(state="detached")
        assert len(titles(visitor, 1)) == 5
        assert "You, a librarian, order" in str(chat.requests[-1].body)
        visitor.press("edit_1")
        page.locator("[class*='_prompt_edit'] button").first.click()
        visitor.press("prompt_delete")
        visitor.wait_for_text("1 pipeline on screen uses it")
        visitor.press("prompt_keep")
        name = visitor.key("prompt_name").locator("input")
        page.wait_for_function("field => field.value === 'rankllm-copy'", arg=name.element_handle())
        visitor.press("prompt_delete")
        visitor.press("prompt_delete_now")
        visitor.press("editor_use")
        page.wait_for_url(lambda url: "rankllm-copy" not in url)
    assert visitor.left == []


def test_a_failing_pipeline_leaves_the_others(visit: Visit) -> None:
    visitor = visit()
    visitor.go(q=QUERY, p=["bm25", "bm25 >> faulty"])
    assert len(titles(visitor, 0)) == 10
    card = visitor.key("error_col_1")
    card.wait_for()
    assert "no such luck" in card.inner_text()
    assert card.get_by_role("button", name="Try again").is_visible()


def test_an_own_table_is_mapped_imported_and_compared(visit: Visit, tmp_path: Path) -> None:
    visitor = visit()
    page = visitor.go("corpora", view="Bring your own")
    table = "nr,head,story\n1,Pumps,Heat pumps move heat\n2,Boilers,Gas boilers burn gas\n"
    page.locator("input[type=file]").set_input_files(rows(tmp_path, table))
    visitor.wait_for_text("First documents")
    choose(visitor, "Id", "nr")
    choose(visitor, "Title", "head")
    visitor.press("import_now")
    visitor.wait_for_text("holds 2 documents")
    visitor.press("import_compare")
    page.locator(".st-key-q input").wait_for()
    assert corpus(visitor) == "notes"
    page.locator(".st-key-q input").fill("heat")
    page.locator(".st-key-q input").press("Enter")
    assert titles(visitor, 0)[0] == "Pumps"


def choose(visitor: Visitor, label: str, option: str) -> None:
    """Pick an option of the select box with that label."""
    box = visitor.page.get_by_role("combobox", name=label, exact=True)
    box.click()
    visitor.page.get_by_role("option", name=option, exact=True).click()
    visitor.page.wait_for_timeout(300)


def test_hostile_documents_are_shown_as_text(visit: Visit, tmp_path: Path) -> None:
    hostile = (
        "<script>alert(1)</script><img src=x onerror=alert(2)> zebra $x^2$ :material/home: "
        "[here](javascript:alert(3)) ‮backwards"
    )
    page_text = hostile.replace('"', '""')
    visitor = visit()
    page = visitor.go("corpora", view="Bring your own")
    table = f'id,title,text\n<b>1</b>,"{page_text}","{page_text}"\n2,plain,zebra too\n'
    page.locator("input[type=file]").set_input_files(
        rows(tmp_path, table, "<img src=x onerror=alert(4)>.csv")
    )
    visitor.wait_for_text("First documents")
    visitor.press("import_now")
    visitor.wait_for_text("holds 2 documents")
    visitor.press("import_compare")
    page.locator(".st-key-q input").wait_for()
    page.locator(".st-key-q input").fill("zebra")
    page.locator(".st-key-q input").press("Enter")
    assert any("<script>alert(1)</script>" in title for title in titles(visitor, 0))
    assert "$x^2$" in visitor.key("col_0").inner_text()
    page.locator("[class*='st-key-title_'] button").first.click()
    visitor.key("document").wait_for()
    page.wait_for_timeout(500)
    assert page.locator("img[src='x']").count() == 0
    assert page.locator("a[href^='javascript']").count() == 0
    assert visitor.dialogs == []


def test_an_evaluation_is_cancelled_reloaded_and_survives_a_crash(
    visit: Visit, servers: Callable[[], Server]
) -> None:
    server = servers()
    visitor = visit(server)
    page = visitor.go("evaluate", p=["bm25", "bm25 >> slow(top=5)"])
    visitor.press("evaluate")
    visitor.wait_for_text("You may leave")
    page.wait_for_function("document.body.innerText.match(/evaluating.* [1-9][0-9]* \\/ 120/)")
    page.reload()
    visitor.wait_for_text("You may leave")
    page.locator("[class*='st-key-watch_'] button").click()
    visitor.wait_for_text("answers are in")
    link = page.url
    visitor.press("evaluate_resume")
    visitor.wait_for_text("You may leave")
    page.wait_for_timeout(1500)
    server.kill()
    before = server.count_calls("forgot password iphone app")
    server.start()
    page.goto(link.replace(link.split("/evaluate")[0], server.url))
    visitor.wait_for_text("answers are in")
    visitor.press("evaluate_resume")
    page.locator(".rl-results tr", has_text="60 answered").nth(1).wait_for(timeout=90_000)
    page.get_by_text("answers are in").wait_for(state="detached")
    assert server.count_calls("forgot password iphone app") == before


def test_a_query_of_an_evaluation_opens_in_compare_and_leads_on_and_back(visit: Visit) -> None:
    visitor = visit()
    page = visitor.go("evaluate", p=["bm25", "bm25(b=0.0)"])
    visitor.press("evaluate")
    page.locator(".rl-results").wait_for(timeout=60_000)
    evaluation = page.url.rpartition("exp=")[2]
    page.get_by_role("radio", name="Got worse").or_(page.get_by_text("Got worse")).first.click()
    table = page.locator("[data-testid='stDataFrame'] canvas").last
    table.scroll_into_view_if_needed()
    page.wait_for_timeout(1000)
    box = table.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 28, box["y"] + 52)
    visitor.key("col_1").wait_for()
    assert len(titles(visitor, 0)) == 10
    first = page.locator(".st-key-q input").input_value()
    assert first
    assert "q=" in page.url
    visitor.wait_for_text("Query 1 of")
    visitor.press("walk_next")
    visitor.wait_for_text("Query 2 of")
    assert len(titles(visitor, 1)) == 10
    assert page.locator(".st-key-q input").input_value() != first
    visitor.press("walk_previous")
    visitor.wait_for_text("Query 1 of")
    visitor.press("walk_back_button")
    page.locator(".rl-results").wait_for()
    assert evaluation in page.url
    assert "Got worse" in page.get_by_role("radio", checked=True).last.inner_text()
    table = page.locator("[data-testid='stDataFrame'] canvas").last
    table.wait_for()
    page.wait_for_function(
        "document.querySelector('.st-key-evaluate_queries').getBoundingClientRect().top"
        " < innerHeight - 200"
    )


def test_back_and_forward_erase_no_pipeline_and_no_result(visit: Visit) -> None:
    visitor = visit()
    page = visitor.go(q=QUERY, p=["bm25", "bm25 >> identity"], show="5")
    box = page.locator(".st-key-q input")

    def seen(query: str, columns: int) -> None:
        page.wait_for_function(f"document.querySelector('.st-key-q input')?.value === {query!r}")
        assert query
        for slot in range(columns):
            visitor.key(f"edit_{slot}").first.wait_for()
            column = visitor.key(f"col_{slot}")
            column.locator("[class*='st-key-title_'] button").nth(4).wait_for()

    seen(QUERY, 2)
    for query in ("forgot password", "stop the weekly email"):
        box.fill(query)
        box.press("Enter")
        page.wait_for_url(f"**q={query.replace(' ', '+')}**")
        seen(query, 2)
    visitor.press("remove_1")
    visitor.key("col_1").wait_for(state="detached")
    entries = page.evaluate("history.length")
    page.get_by_role("link", name="Models").click()
    page.get_by_text("models run here now").wait_for()
    page.wait_for_timeout(1500)
    assert page.evaluate("history.length") == entries + 1
    page.go_back()
    seen("stop the weekly email", 1)
    assert len(titles(visitor, 0)) == 5
    page.go_back()
    seen(box.input_value(), 2)
    page.go_forward()
    visitor.key("col_1").wait_for(state="detached")
    seen("stop the weekly email", 1)
    page.reload()
    seen("stop the weekly email", 1)
    other = visit()
    other.page.goto(page.url)
    other.page.locator(".st-key-q input").wait_for()
    assert titles(other, 0) == titles(visitor, 0)


def test_no_column_is_hidden_and_none_jumps_when_the_chart_arrives(visit: Visit) -> None:
    visitor = visit()
    page = visitor.go(q=QUERY, p=["bm25", SLOW, "bm25 >> faulty", "bm25(k1=2.0)"], show="5")
    visitor.key("col_0").locator("[class*='st-key-title_'] button").first.wait_for()
    before = visitor.key("col_0").bounding_box()["y"]
    titles(visitor, 1)
    visitor.key("bump_area").locator(".main-svg").first.wait_for()
    failure = page.locator(".rl-failures")
    assert "bm25 >> faulty" in failure.inner_text()
    assert (
        abs(visitor.key("col_0").bounding_box()["y"] - before)
        <= failure.bounding_box()["height"] + 20
    )
    for slot in range(4):
        column = visitor.key(f"col_{slot}").bounding_box()
        assert column["x"] + column["width"] <= 1440
    assert not page.locator(".rl-more").is_visible()
    page.set_viewport_size({"width": 800, "height": 1000})
    page.locator(".rl-more").wait_for()
    strip = visitor.key("strip")
    assert strip.evaluate("strip => strip.scrollWidth > strip.clientWidth + 100")
    main = page.locator("[data-testid=stMain]")
    assert main.evaluate("main => main.scrollWidth <= main.clientWidth")


@pytest.mark.models
def test_a_model_is_checked_from_the_models_page(visit: Visit) -> None:
    visitor = visit()
    page = visitor.go("models", role="Rerankers")
    table = page.locator("[data-testid='stDataFrame'] canvas").first
    box = _still_box(table)
    page.mouse.click(box["x"] + 15, box["y"] + 52)
    visitor.key("check_model").wait_for()
    visitor.press("check_model")
    visitor.key("model_card").get_by_text("Healthy").wait_for(timeout=90_000)


@pytest.mark.parametrize("name", ["", "evaluate", "choose", "corpora", "models"])
def test_no_page_scrolls_sideways_at_800_pixels(visit: Visit, name: str) -> None:
    visitor = visit(width=800)
    page = visitor.go(name, q=QUERY, p=["bm25", "bm25(b=0.0)", "bm25(k1=2.0)", "rank-bm25"])
    page.wait_for_timeout(1500)
    width = page.evaluate(
        "Math.max(document.documentElement.scrollWidth,"
        " ...[...document.querySelectorAll('[data-testid=stMain]')].map(e => e.scrollWidth"
        " - e.clientWidth + innerWidth)) - innerWidth"
    )
    assert width <= 0
    assert visitor.left == []


def test_the_address_that_people_guess_answers_with_everything_in_it(visit: Visit) -> None:
    visitor = visit(width=800)
    visitor.go("compare", q=QUERY, p=["bm25", "bm25 >> identity"], show="5")
    assert len(titles(visitor, 1)) == 5
    assert "/compare" not in visitor.page.url
    assert visitor.page.get_by_text("Page not found").count() == 0


def test_all_pages_are_named_in_full_at_800_pixels(visit: Visit) -> None:
    page = visit(width=800).go()
    box = page.get_by_role("link", name="Models").bounding_box()
    assert box["x"] + box["width"] < 780


def test_names_of_six_pipelines_stay_apart_over_the_chart_at_800_pixels(visit: Visit) -> None:
    specs = ["bm25", *(f"bm25(k1=0.{n},b=0.{n}) >> identity" for n in range(1, 6))]
    visitor = visit(width=800)
    page = visitor.go(q=QUERY, p=specs)
    titles(visitor, 5)
    if page.locator(".js-plotly-plot").count() == 0:
        visitor.key("bump_all").locator("label").click()
    chips, sizes = (visitor.key(key).bounding_box() for key in ("chips", "sizes"))
    assert chips["y"] + chips["height"] <= sizes["y"]
    names = page.locator(".js-plotly-plot .annotation b, .js-plotly-plot .annotation-text")
    names.first.wait_for()
    page.wait_for_timeout(500)
    boxes = [name.bounding_box() for name in names.all()[:6]]
    assert len(boxes) == 6
    for left, right in itertools.pairwise(sorted(boxes, key=lambda box: box["x"])):
        assert left["x"] + left["width"] <= right["x"]
    main = page.locator("[data-testid=stMain]")
    assert main.evaluate("main => main.scrollWidth <= main.clientWidth")


def test_what_the_editor_says_in_passing_leaves_the_page_its_style(visit: Visit) -> None:
    visitor = visit()
    page = visitor.go(q=QUERY, p=["bm25"])
    titles(visitor, 0)
    visitor.press("edit_0")
    box = page.get_by_role("spinbutton", name="Candidates (documents)")
    box.fill("100")
    box.press("Enter")
    visitor.wait_for_text("is what stands for")
    page.wait_for_timeout(800)
    assert visitor.key("editor_use").is_visible()
    assert not visitor.key("url_state").is_visible()


def test_a_presentation_fits_into_a_beamer_and_is_led_by_keys(visit: Visit) -> None:
    pipelines = ["bm25", "bm25 >> identity", "bm25 >> overlap", "bm25 >> mmr"]
    visitor = visit()
    page = visitor.page
    page.set_viewport_size({"width": 1280, "height": 720})
    answers = page.locator(".rl-answer")
    for count in (4, 3):
        # A query of two lines, so that as little room as possible is left for the answers.
        link = {"q": f"{QUERY} {'and once again ' * 7}", "p": pipelines[:count], "present": "1"}
        page.goto(f"{visitor.server.url}/?{urlencode(link, doseq=True)}")
        answers.nth(3 * count - 1).wait_for()
        visitor.key("stage_bump").locator(".main-svg").first.wait_for()
        lowest = max(box["y"] + box["height"] for box in map(_box, answers.all()))
        assert lowest <= 720
        assert page.evaluate(_OVERFLOW) == []
    page.keyboard.press("ArrowRight")
    # Others on this server may have judged a query of their own: then it is 61.
    page.get_by_text(re.compile(r"^1 of \d+$")).wait_for()
    page.keyboard.press("2")
    page.wait_for_url("**focus=2**")
    answers.nth(3).wait_for(state="detached")
    page.keyboard.press("Escape")
    visitor.key("stage").wait_for(state="detached")
    visitor.key("chips").wait_for()
    assert "present" not in page.url
    assert visitor.left == []


def test_the_tour_leads_from_compare_to_evaluate_and_ends_at_any_step(visit: Visit) -> None:
    visitor = visit()
    visitor.go()
    visitor.press("tour_start")
    visitor.wait_for_text("BM25 compares words")
    for place in ("Step 2 of 5", "Step 3 of 5", "Step 4 of 5"):
        visitor.press("tour_next")
        visitor.wait_for_text(place)
    visitor.key("evaluate_setup").wait_for()
    visitor.press("tour_end")
    visitor.key("tour_card").wait_for(state="detached")
    assert "tour" not in visitor.page.url
    visitor.go()
    visitor.wait_for_text("One query, several rerankers")
    assert visitor.key("tour_start").count() == 0


_OVERFLOW = """() => [document.documentElement, ...document.querySelectorAll(
    '[data-testid=stMain], .st-key-stage, .st-key-stage_body, .st-key-stage_side')]
    .filter(e => e.scrollHeight > e.clientHeight + 1 || e.scrollWidth > e.clientWidth + 1)
    .map(e => [e.className, e.scrollHeight, e.clientHeight, e.scrollWidth, e.clientWidth])"""
"""What a window has to be scrolled for."""


def _box(locator: Any) -> dict[str, float]:
    """Where an element is, in pixels of the window."""
    box: dict[str, float] = locator.bounding_box()
    return box


def _still_box(locator: Any) -> dict[str, float]:
    """Where an element is once it no longer moves: a page that fills up shifts what is below."""
    box = _box(locator)
    for _ in range(20):
        locator.page.wait_for_timeout(500)
        previous, box = box, _box(locator)
        if box == previous:
            break
    return box
