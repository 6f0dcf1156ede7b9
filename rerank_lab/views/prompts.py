"""Prompts on screen: which there are, what is wrong with a draft, and what it would send."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rerank_lab.components.registry import pipeline_leaves
from rerank_lab.core.errors import InvalidInput, LabError
from rerank_lab.core.spec import PipelineSpec
from rerank_lab.core.types import Document, Query
from rerank_lab.pipeline.engine import Engine
from rerank_lab.rerankers.llm.base import LLMReranker
from rerank_lab.rerankers.llm.messages import tokens
from rerank_lab.rerankers.llm.prompts import (
    KINDS,
    PromptTemplate,
    is_file,
    is_own,
    parse_prompt,
    prompt_names,
    prompt_text,
)
from rerank_lab.services.compare import llm_reranker_of
from rerank_lab.views.formatting import counted

SHOWN = 2
"""Documents in a preview."""
_FILE = "prompt"
_AT = re.compile(rf"{_FILE}:(\d+): (.*)", re.DOTALL)
ABOUT = {
    "query": "the query",
    "instruction": "the stage's instruction; a line that holds nothing else is left out without",
    "count": "how many passages are shown",
    "keep": "how many passages to choose",
    "passages": "all passages, a line each, in the form that `passage` gives",
    "id": "a passage's number or letter, in turns with `each: true` and in `passage`",
    "passage": "a passage's text, likewise",
    "grades": "the grades of the scale, a line each, with what they mean",
    "guidelines": "the session's guidelines for judges",
    "problem": "what was wrong with the last answer, in `again`",
}


@dataclass(frozen=True, slots=True)
class PromptProblem:
    """What is wrong with a draft, and in which line (0 for the whole)."""

    line: int
    what: str


@dataclass(frozen=True, slots=True)
class Placeholder:
    """One that a kind of prompt knows. `needed` ones must be used."""

    name: str
    needed: bool
    about: str


@dataclass(frozen=True, slots=True)
class Choices:
    """The prompts that a stage could use. `names` begin with "" for the form's own."""

    kind: str
    default: str
    names: tuple[str, ...]
    current: str
    own: bool
    """Whether the current one was edited here."""

    @property
    def source(self) -> str:
        """The name whose text a copy begins with."""
        return self.current or self.default

    def words(self, name: str) -> str:
        """An option of the select box."""
        if not name:
            return f"{self.default} (the form's own)"
        return name


@dataclass(frozen=True, slots=True)
class PromptPreview:
    """What would be sent for a query and the first documents: turns as (role, text)."""

    turns: tuple[tuple[str, str], ...]
    about: str


def choices(reranker: LLMReranker) -> Choices:
    """Every prompt of the kind that this stage needs, the current one whatever it is."""
    current, default = str(reranker.options["prompt"]), reranker.default_prompt
    names = ["", *(name for name in prompt_names(reranker.kind) if name != default)]
    if current not in names:
        names.append(current)
    return Choices(reranker.kind, default, tuple(names), current, is_own(current))


def placeholders(kind: str) -> tuple[Placeholder, ...]:
    """What a prompt of that kind must use, then what it may."""
    rules = KINDS[kind]
    needed = set(rules.required) | (set() if rules.one else {"passages"})
    known = needed | rules.optional | (set() if rules.one else {"id", "passage"})
    return tuple(
        Placeholder(name, name in needed, ABOUT[name])
        for name in sorted(known, key=lambda name: (name not in needed, name))
    )


def draft_of(name: str) -> str:
    """The text that a copy or another edit begins with. Raises InvalidInput when it is gone."""
    return prompt_text(name)


def check(text: str, kind: str) -> tuple[PromptTemplate | None, tuple[PromptProblem, ...]]:
    """The prompt, or every problem of the draft by line."""
    try:
        return parse_prompt(text, _FILE, kind), ()
    except InvalidInput as error:
        return None, tuple(sorted(map(_problem, error.problems), key=lambda p: p.line))
    except LabError as error:
        return None, (PromptProblem(0, str(error)),)


def _problem(message: str) -> PromptProblem:
    at = _AT.fullmatch(message)
    return (
        PromptProblem(int(at[1]), at[2])
        if at
        else PromptProblem(0, message.removeprefix(f"{_FILE}: "))
    )


def preview(
    reranker: LLMReranker, prompt: PromptTemplate, query: Query, docs: Sequence[Document]
) -> PromptPreview:
    """What a question to the model would say, with roles, as it would be sent."""
    texts = [doc.content for doc in docs[:SHOWN]]
    try:
        prompt.check_instruction(reranker.instruction)
    except InvalidInput as error:
        return PromptPreview((), f"{error.message} {error.hint}")
    messages = reranker.example(query.text, texts, prompt)
    size = sum(len(text) for _, text in messages)
    seen = counted(1 if KINDS[prompt.kind].one else len(texts), "document")
    about = f"With {seen}: {size:,} characters, about {tokens(messages):,} tokens."
    if prompt.kind == "likelihood":
        about += " The query follows, and its probability is the score."
    return PromptPreview(messages, about)


def free_name(source: str) -> str:
    """A name that is not taken, made from the copied prompt's."""
    stem = "" if is_file(source) else re.sub(r"-copy(-\d+)?$", "", source)[:50]
    base = f"{stem or 'prompt'}-copy"
    number, name = 1, base
    while _taken(name):
        number += 1
        name = f"{base}-{number}"
    return name


def users(name: str, specs: Sequence[PipelineSpec], engine: Engine) -> tuple[PipelineSpec, ...]:
    """Those of these pipelines that use a prompt."""
    return tuple(
        spec
        for spec in specs
        if any(str(one.options["prompt"]) == name for one in _askings(spec, engine))
    )


def loss(using: Sequence[PipelineSpec]) -> str:
    """What a deletion does to the pipelines on screen that use the prompt."""
    if not using:
        return "Pipelines that use it will say that it is missing."
    one = len(using) == 1
    return (
        f"{counted(len(using), 'pipeline')} on screen {'uses' if one else 'use'} it and will say "
        "that it is missing."
    )


def _askings(spec: PipelineSpec, engine: Engine) -> list[LLMReranker]:
    rerankers = [
        llm_reranker_of(node, engine) for node, kind in pipeline_leaves(spec) if kind == "reranker"
    ]
    return [one for one in rerankers if one is not None]


def _taken(name: str) -> bool:
    try:
        prompt_text(name)
    except InvalidInput:
        return False
    return True
