"""Answers are read strictly: an order that the model gave, or none; never loose digits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerank_lab.rerankers.parsing import (
    Fault,
    Reading,
    describe,
    read_label,
    read_order,
    read_selection,
    read_yes_no,
)

ORDERS = {
    "Here is the ranking of the 3 passages: [2] > [3] > [1]": (1, 2, 0),
    "1. [2]\n2. [3]\n3. [1]": (1, 2, 0),
    "- [2]\n- [3]\n- [1]": (1, 2, 0),
    "[2]\n[3]\n[1]": (1, 2, 0),
    "[1]\n[2]\nOn reflection:\n[2]\n[3]\n[1]": (1, 2, 0),
    "[2]>[3]>[1].": (1, 2, 0),
    "[2] >\n[3] >\n[1]": (1, 2, 0),
    "First I thought [1] > [2] > [3].\nOn reflection: [2] > [3] > [1]": (1, 2, 0),
    "<think>maybe [1] > [2] > [3]</think>\n[2] > [3] > [1]": (1, 2, 0),
    "<think>a</think><think>[1] > [2] > [3]</think>[2] > [3] > [1]": (1, 2, 0),
    "<answer>[2] > [3] > [1]</answer>": (1, 2, 0),
    "```\n[2] > [3] > [1]\n```": (1, 2, 0),
    '```json\n{"ranking": [2, 3, 1]}\n```': (1, 2, 0),
    '{"ranking": ["2", "3", "1"]}': (1, 2, 0),
    "[2, 3, 1]": (1, 2, 0),
    "［２］ ＞ ［３］ ＞ ［１］": (1, 2, 0),
    "[٢] > [٣] > [١]": (1, 2, 0),
}
UNUSABLE = {
    "": Fault.EMPTY,
    "   \n": Fault.EMPTY,
    "I'm sorry, but I can't rank these passages.": Fault.REFUSED,
    "As an AI, I have no opinion.": Fault.REFUSED,
    "Passage 2 is best, then 3, then 1.": Fault.WRONG_FORMAT,
    "2 > 3 > 1": Fault.WRONG_FORMAT,
    "2, 3, 1": Fault.WRONG_FORMAT,
    "Passages [1] and [2] speak of heat pumps.": Fault.WRONG_FORMAT,
    "1. [2]\n3. [3]\n2. [1]": Fault.WRONG_FORMAT,
    "[2]": Fault.WRONG_FORMAT,
    "[1] > 2 > [3] > [2]": Fault.WRONG_FORMAT,
    "[2] > [3] > 1": Fault.WRONG_FORMAT,
    "<think>[2] > [3] > [1]": Fault.TRUNCATED,
    "[8] > [9]": Fault.TOO_FEW,
}


@pytest.mark.parametrize("text", ORDERS)
def test_a_well_formed_order_is_read(text: str) -> None:
    assert read_order(text, 3) == Reading(ORDERS[text])


@pytest.mark.parametrize("text", UNUSABLE)
def test_anything_else_is_unusable_and_says_why(text: str) -> None:
    reading = read_order(text, 3)
    assert not reading.usable
    assert reading.faults[-1] is UNUSABLE[text]


def test_faults_of_a_usable_order_are_told_apart() -> None:
    text = "[2] > [2] > [9] > [3] > [1]"
    assert read_order(text, 4) == Reading(
        (1, 1, 8, 2, 0), (Fault.INVENTED, Fault.REPETITION, Fault.MISSING)
    )


def test_an_order_cut_off_at_the_limit_is_used_when_half_is_there() -> None:
    assert read_order("[2] > [3] > [", 4, cut_short=True) == Reading(
        (1, 2), (Fault.TRUNCATED, Fault.MISSING)
    )
    assert read_order("[2] > [3] > [", 5, cut_short=True).faults[-1] is Fault.TOO_FEW
    assert read_order("The passages", 5, cut_short=True).faults == (Fault.TRUNCATED,)


def test_one_id_is_an_order_only_of_one_or_two_documents() -> None:
    assert read_order("[2]", 2) == Reading((1,), (Fault.MISSING,))
    assert read_order('{"ranking": [1]}', 1) == Reading((0,))


@given(st.permutations(range(1, 21)), st.sampled_from([" > ", ">", " >\n"]))
def test_every_permutation_comes_back(order: list[int], joiner: str) -> None:
    text = joiner.join(f"[{i}]" for i in order)
    assert read_order(text, 20) == Reading(tuple(i - 1 for i in order))
    assert read_order(str(order), 20) == Reading(tuple(i - 1 for i in order))


_PIECES = st.sampled_from(
    [
        *("[", "]", ">", "1", "2", "３", "{", '"ranking"', ":", ",", "\n", "<think>", "</think>"),
        *("```", "A", "B", "[2]", "[1] > [2]", " ", "yes", "٣", "①", "[99999]", "sorry", "\x00"),
    ]
)


@given(st.one_of(st.text(), st.lists(_PIECES, max_size=30).map("".join)), st.integers(0, 30))
def test_no_text_raises_and_every_reading_says_what_was_wrong(text: str, n: int) -> None:
    for reading in (
        read_order(text, n),
        read_order(text, n, cut_short=True),
        read_selection(text, n, max(1, n // 2)),
        read_label(text, min(n, 26)),
        read_yes_no(text),
    ):
        assert reading.usable or reading.faults
        assert describe(reading.faults)


@given(st.text(alphabet="0123456789 ,>.\nabc", max_size=200))
def test_loose_digits_are_never_an_order(text: str) -> None:
    assert not read_order(text, 3).usable


def test_a_selection_tells_when_it_is_not_as_long_as_asked() -> None:
    assert read_selection("[4, 2]", 5, 2) == Reading((3, 1))
    assert read_selection("[4] > [2] > [1]", 5, 2) == Reading((3, 1), (Fault.WRONG_FORMAT,))
    assert read_selection("[4, 4]", 5, 2) == Reading((3,), (Fault.REPETITION, Fault.MISSING))
    assert not read_selection("4 and 2", 5, 2).usable
    assert read_selection("I'm sorry, I can't choose.", 5, 2).faults == (Fault.REFUSED,)
    assert read_selection("[4, 2]", 20, 10).faults[-1] is Fault.TOO_FEW


@pytest.mark.parametrize(
    "text", ["B", "[B]", "Passage B", "Passage B.", '"B"', "Answer: B", "The answer is B.",
             "Output: Passage B", "The most relevant passage is B", "Because of heat.\nB"],
)  # fmt: skip
def test_a_label_is_read(text: str) -> None:
    assert read_label(text, 4) == Reading((1,))


@pytest.mark.parametrize(
    "text",
    ['Passage B: "The people of', "Document B: the people of", 'passage b : "x" and\nmore of it'],
)
@pytest.mark.parametrize("cut_short", [True, False])
def test_a_label_that_begins_the_repeated_passage_is_read(text: str, cut_short: bool) -> None:
    assert read_label(text, 4, cut_short) == Reading((1,))


@pytest.mark.parametrize(
    "text", ['Passage A: "x"\nPassage B: "y"', "The Passage B: x", "Passage B:", "Passage BC: x"]
)
def test_several_repeated_passages_are_no_choice(text: str) -> None:
    assert not read_label(text, 4).usable


@pytest.mark.parametrize("text", ["A or B", "I prefer B to A", "neither", "[A] [B]", "b", "2"])
def test_a_label_in_a_sentence_is_not_an_answer(text: str) -> None:
    assert not read_label(text, 4).usable


def test_a_label_that_does_not_exist_is_invented() -> None:
    assert read_label("Z", 4).faults == (Fault.INVENTED,)


def test_yes_and_no() -> None:
    assert read_yes_no("Yes.") == Reading((0,))
    assert read_yes_no("<think>yes</think>No") == Reading((1,))
    assert not read_yes_no("yes and no").usable
