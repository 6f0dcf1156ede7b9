"""A language model that grades documents, behind an OpenAI-compatible endpoint or in this process.

It is called as the LLM rerankers call theirs: the same endpoints, keys, limits, retries, prices and
recordings. An answer that cannot be used is asked for once more; then the judge abstains.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import PurePath

from rerank_lab.core.context import Context
from rerank_lab.core.spend import CostEstimate
from rerank_lab.core.types import Trace
from rerank_lab.core.work import Work
from rerank_lab.judging.llm_judge.answers import AnswerCache
from rerank_lab.judging.llm_judge.asking import AskedModel, JudgeModel
from rerank_lab.judging.llm_judge.material import (
    MATERIAL_VERSION,
    document_material,
    grades_words,
    material,
)
from rerank_lab.judging.llm_judge.parsing import (
    GradeReading,
    JudgeFault,
    PreferenceReading,
    read_grade,
    read_preference,
)
from rerank_lab.judging.llm_judge.prompts import PREFERENCE, load_judge_prompt
from rerank_lab.judging.records import ArenaSide
from rerank_lab.judging.scales import Scale
from rerank_lab.rerankers.llm.base import lettered
from rerank_lab.rerankers.llm.messages import tokens
from rerank_lab.rerankers.llm.prompts import Messages

NAME_PREFIX = "llm:"
_ATTEMPTS = 2
_ESTIMATED = 200
"""Pairs whose prompts are written out for an estimate; more are told from these."""
_OPPOSITE = {ArenaSide.LEFT: ArenaSide.RIGHT, ArenaSide.RIGHT: ArenaSide.LEFT}


@dataclass(frozen=True, slots=True)
class LLMGrade:
    """A grade of an LLM judge, or None where it abstains; `note` then says why.

    `trace` holds calls, tokens and cost; `cached` is True when nothing was asked.
    """

    grade: int | None
    note: str
    fault: JudgeFault | None
    trace: Trace
    cached: bool = False


@dataclass(frozen=True, slots=True)
class LLMPreference:
    """Which of two documents an LLM judge prefers; None where it abstains, and why.

    `asked_twice` holds the sides of the two orders, both told as the first order has them.
    """

    side: ArenaSide | None
    fault: JudgeFault | None
    trace: Trace
    asked_twice: tuple[ArenaSide | None, ArenaSide | None] = (None, None)


class LLMJudge:
    """A language model with a prompt and a scale. Instant to construct; safe for many threads."""

    def __init__(
        self,
        model: JudgeModel,
        scale: Scale,
        *,
        guidelines: str = "",
        answers: AnswerCache | None = None,
    ) -> None:
        """`guidelines` go into prompts that have a place for them. `answers` keeps what was said.

        Raises:
            InvalidInput: an option or the prompt cannot be used.
        """
        self.settings = model
        self.scale = scale
        self.guidelines = guidelines.strip()
        self.prompt = load_judge_prompt(model.prompt, "grade")
        self.prompt.check_instruction(model.instruction)
        self.asked = AskedModel(model, answers)

    @cached_property
    def name(self) -> str:
        """The judge's name in rows: `llm:<model>:<digest>`; another prompt is another judge."""
        model = PurePath(self.settings.model).name or self.settings.model
        return f"{NAME_PREFIX}{model}:{self.digest[:12]}"

    @cached_property
    def voter(self) -> str:
        """Its name with votes of the arena, which depend on the prompt that compares two."""
        prompt = load_judge_prompt(PREFERENCE, PREFERENCE)
        parts = (self.asked.identity, prompt.digest, self.guidelines, MATERIAL_VERSION)
        digest = sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
        model = PurePath(self.settings.model).name or self.settings.model
        return f"{NAME_PREFIX}{model}:{digest[:12]}"

    @cached_property
    def digest(self) -> str:
        """SHA-256 of all that a grade depends on: model, prompt, scale, guidelines, sampling.

        Raises:
            ModelUnavailable: the files of a local model are not here.
        """
        grades = [(grade.value, grade.label, grade.meaning) for grade in self.scale.grades]
        guidelines = self.guidelines if "guidelines" in self.prompt.placeholders else ""
        parts = (self.asked.identity, self.prompt.digest, grades, guidelines, MATERIAL_VERSION)
        return sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def estimate(self, pairs: Sequence[tuple[str, str]]) -> CostEstimate:
        """What grading these (query, document) texts takes, none being answered already.

        An unusable answer is asked for again, which comes on top.
        """
        step = max(1, len(pairs) // _ESTIMATED)
        sample = pairs[::step]
        read = sum(tokens(self.messages(query, text)[0]) for query, text in sample)
        read = round(read * len(pairs) / max(1, len(sample)))
        return self.asked.estimate(len(pairs), read)

    def messages(self, query: str, text: str, problem: str = "") -> tuple[Messages, bool]:
        """The prompt for a document, as it is sent, and whether the document was cut."""
        passage, was_cut = document_material(text, self.settings.passage_words)
        values = self._values(query) | {"passage": passage, "grades": grades_words(self.scale)}
        return self.prompt.messages(values, (), problem), was_cut

    def grade(self, query: str, text: str, ctx: Context, *, repeat: int = 0) -> LLMGrade:
        """The grade of a document for a query.

        Args:
            query: The query's text.
            text: The document's text, `Document.content`.
            ctx: Cancel, deadline, keys, spend meter and recording.
            repeat: Another number asks anew for what was answered before.

        Raises:
            LabError: the model cannot be asked. What it says is never an error: it abstains.
        """
        work = Work(ctx)
        reading, problem, was_cut = GradeReading(None), "", False
        for _ in range(_ATTEMPTS):
            messages, was_cut = self.messages(query, text, problem)
            answer, key = self.asked.answer(messages, repeat, work)
            reading = read_grade(answer.text, self.scale, cut_short=answer.truncated)
            if reading.usable:
                self.asked.keep(key, answer)
                break
            problem = str(JudgeFault.REFUSED if answer.refused else reading.fault)
        return LLMGrade(
            reading.grade,
            _note(reading.reason, problem if not reading.usable else "", was_cut, self.settings),
            reading.fault,
            work.trace,
            cached=work.trace.calls == 0,
        )

    def compare(self, query: str, first: str, second: str, ctx: Context) -> LLMPreference:
        """Which of two documents is better, asked in both orders; only what holds in both counts.

        Raises:
            LabError: the model cannot be asked.
        """
        work = Work(ctx)
        ahead = self._prefer(query, first, second, work)
        behind = self._prefer(query, second, first, work)
        turned = behind.side and _OPPOSITE.get(behind.side, behind.side)
        sides = (ahead.side, turned)
        fault = ahead.fault or behind.fault
        if fault is None and ahead.side is not turned:
            fault = JudgeFault.NOT_CONSISTENT
        side = None if fault else ahead.side
        return LLMPreference(side, fault, work.trace, sides)

    def _prefer(self, query: str, first: str, second: str, work: Work) -> PreferenceReading:
        prompt = load_judge_prompt(PREFERENCE, PREFERENCE)
        words = self.settings.passage_words
        shown = lettered([document_material(text, words)[0] for text in (first, second)])
        reading, problem = PreferenceReading(None), ""
        for _ in range(_ATTEMPTS):
            messages = prompt.messages(self._values(query), shown, problem)
            answer, key = self.asked.answer(messages, 0, work)
            reading = read_preference(answer.text, cut_short=answer.truncated)
            if reading.usable:
                self.asked.keep(key, answer)
                break
            problem = str(reading.fault)
        return reading

    def _values(self, query: str) -> dict[str, str]:
        instruction = self.settings.instruction.strip()
        return {
            "query": material(query),
            "instruction": material(instruction) if instruction else "",
            "guidelines": self.guidelines,
        }


def _note(reason: str, problem: str, was_cut: bool, settings: JudgeModel) -> str:
    parts = [f"Abstained: {problem}." if problem else "", reason]
    if was_cut:
        parts.append(f"(Only the first {settings.passage_words:,} words were shown.)")
    return " ".join(part for part in parts if part)
