"""Prompts are files that are checked line by line before anything is asked."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from rerank_lab.core.errors import InvalidInput, MissingExtra
from rerank_lab.rerankers.llm.prompts import (
    FOLDER,
    KINDS,
    delete_prompt,
    load_prompt,
    parse_prompt,
    prompt_names,
    prompt_text,
    save_prompt,
)

GOOD = """\
kind: listwise
placeholders: [query, instruction, passages]
passage: "[{id}] {passage}"
turns:
  - role: user
    text: |-
      Query: {query}
      {instruction}
      {passages}
      Order them.
"""


def problems(text: str, kind: str = "") -> tuple[str, ...]:
    with pytest.raises(InvalidInput) as caught:
        parse_prompt(text, "mine.yaml", kind)
    return caught.value.problems


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda p: p.stem)
def test_every_prompt_of_the_project_is_right(path: Path) -> None:
    prompt = parse_prompt(path.read_text("utf-8"), path.name)
    assert prompt.kind in KINDS
    assert prompt.takes_instruction


def test_placeholders_are_filled_and_an_empty_instruction_takes_no_line() -> None:
    prompt = parse_prompt(GOOD, "mine.yaml")
    shown = [("1", "Heat {query}"), ("2", "Cold")]
    plain = prompt.messages({"query": "warm?", "instruction": ""}, shown)
    assert plain == (("user", "Query: warm?\n[1] Heat {query}\n[2] Cold\nOrder them."),)
    told = prompt.messages({"query": "warm?", "instruction": "Prefer new ones."}, shown)
    assert "Query: warm?\nPrefer new ones.\n[1]" in told[0][1]
    again = prompt.messages({"query": "warm?"}, shown, "the answer was empty")
    assert again[0][1].endswith("could not be used: the answer was empty.")


def test_each_turn_is_repeated_for_every_passage() -> None:
    prompt = load_prompt("rankgpt", "listwise")
    roles = [role for role, _ in prompt.messages({"query": "q", "count": "3"}, [("1", "a")] * 3)]
    assert roles == ["system", "user", "assistant"] + ["user", "assistant"] * 3 + ["user"]


def test_all_problems_are_told_at_once_with_their_lines() -> None:
    wrong = GOOD.replace("{query}", "{quary}").replace("role: user", "role: boss")
    assert problems(wrong + "colour: red\n") == (
        "mine.yaml:11: unknown field 'colour'",
        "mine.yaml:5: role must be one of system, user, assistant, not 'boss'",
        "mine.yaml:7: unknown placeholder {quary}",
        "mine.yaml:2: the placeholder {query} is declared but not used",
        "mine.yaml:2: the placeholder {query} is missing: a listwise prompt needs it",
        "mine.yaml:5: the last turn must be one user turn: it asks the question",
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GOOD.replace("[query, instruction, passages]", "[query, passages]"), "not declared"),
        (GOOD.replace("      {passages}\n", ""), "{passages} is missing"),
        (GOOD.replace("kind: listwise", "kind: poem"), "kind must be one of"),
        (GOOD.replace("      Order", "      [{id}] Order"), "belong into turns with each"),
        ("kind: [", "not valid YAML"),
        ("just words", "the file must be a mapping"),
        ("kind: listwise\nturns: []\nplaceholders: []", "there are no turns"),
        (GOOD + "again: Again!\n", "{problem} is missing in again"),
        (GOOD + "again: '{problem} {query}'\n", "unknown placeholder {query} in again"),
        ("!!python/object/apply:os.system ['true']", "must be a mapping"),
        (GOOD + "#" * 70_000, "longer than"),
    ],
)
def test_a_wrong_prompt_says_what_is_wrong(text: str, said: str) -> None:
    found = problems(text)
    assert any(said in problem for problem in found), found
    assert all(problem.startswith("mine.yaml") for problem in found)


def test_a_prompt_of_another_kind_is_refused() -> None:
    assert any("'setwise' is wanted" in problem for problem in problems(GOOD, "setwise"))


def test_a_file_that_is_no_text_or_enormous_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes("kind: lïstwise".encode("latin-1"))
    with pytest.raises(InvalidInput, match="not UTF-8"):
        load_prompt(str(path), "listwise")
    path.write_bytes(b"\xff" * 70_000)  # refused for its size: nobody reads it to its end
    with pytest.raises(InvalidInput, match="longer than"):
        load_prompt(str(path), "listwise")


def test_a_turn_with_a_field_that_is_unknown_is_told() -> None:
    wrong = GOOD.replace("  - role: user\n", "  - role: user\n    colour: red\n")
    assert problems(wrong) == ("mine.yaml:6: unknown field 'colour' of a turn",)


def test_only_edited_prompts_can_be_deleted() -> None:
    save_prompt("mine", GOOD)
    delete_prompt("mine")
    assert "mine" not in prompt_names("listwise")
    for name in ("mine", "rankgpt", "../../etc"):
        with pytest.raises(InvalidInput, match="no edited prompt"):
            delete_prompt(name)


def test_without_yaml_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(MissingExtra, match="Reading prompts"):
        parse_prompt(GOOD, "mine.yaml")


def test_the_digest_changes_with_the_words_only() -> None:
    digest = parse_prompt(GOOD, "mine.yaml").digest
    assert parse_prompt("# a remark\n" + GOOD, "other.yaml").digest == digest
    assert parse_prompt(GOOD.replace("Order", "Sort"), "mine.yaml").digest != digest


def test_an_edited_prompt_is_kept_in_the_data_folder_and_seen_when_it_changes(home: Path) -> None:
    save_prompt("mine", GOOD)
    assert "mine" in prompt_names("listwise")
    assert prompt_text("mine") == GOOD
    before = load_prompt("mine", "listwise").digest
    save_prompt("mine", GOOD.replace("Order them", "Put them in order"))
    assert load_prompt("mine", "listwise").digest != before
    assert (home / "prompts" / "mine.yaml").exists()


def test_a_prompt_cannot_be_kept_under_a_name_of_the_project_or_outside_its_folder() -> None:
    for name in ("rankgpt", "../evil", "", "a/b"):
        with pytest.raises(InvalidInput, match="cannot be kept"):
            save_prompt(name, GOOD)
    with pytest.raises(InvalidInput):
        save_prompt("broken", "kind: listwise")


def test_a_prompt_that_is_not_there_says_which_are() -> None:
    with pytest.raises(InvalidInput) as caught:
        load_prompt("nothing-of-the-kind", "listwise")
    assert "rankgpt" in caught.value.hint
    with pytest.raises(InvalidInput, match="no name of a prompt"):
        load_prompt("/etc/passwd", "listwise")
