"""A language model that writes a search query for a document. What it writes is synthetic."""

from __future__ import annotations

from collections.abc import Sequence

from rerank_lab.core.context import Context
from rerank_lab.core.spend import CostEstimate
from rerank_lab.core.work import Work
from rerank_lab.judging.llm_judge.answers import AnswerCache
from rerank_lab.judging.llm_judge.asking import AskedModel, JudgeModel
from rerank_lab.judging.llm_judge.material import document_material, material
from rerank_lab.judging.llm_judge.parsing import JudgeFault, read_query
from rerank_lab.judging.llm_judge.prompts import QUESTION, load_judge_prompt
from rerank_lab.rerankers.llm.messages import tokens
from rerank_lab.rerankers.llm.prompts import Messages

_ATTEMPTS = 2


class QueryWriter:
    """A language model with the prompt that asks for a query. Safe for many threads."""

    def __init__(self, model: JudgeModel, answers: AnswerCache | None = None) -> None:
        """`model.prompt` is not looked at: there is one prompt.

        Raises:
            InvalidInput: an option is wrong.
        """
        self.asked = AskedModel(model, answers)
        self._prompt = load_judge_prompt(QUESTION, QUESTION)

    def estimate(self, texts: Sequence[str]) -> CostEstimate:
        """What a query for each of these documents takes."""
        read = sum(tokens(self._messages(text)) for text in texts)
        return self.asked.estimate(len(texts), read)

    def write(self, text: str, ctx: Context) -> str:
        """A query for a document; "" where the model gives none.

        Raises:
            LabError: the model cannot be asked.
        """
        work, problem = Work(ctx), ""
        for _ in range(_ATTEMPTS):
            answer, key = self.asked.answer(self._messages(text, problem), 0, work)
            reading = read_query(answer.text, cut_short=answer.truncated)
            if not isinstance(reading, JudgeFault):
                self.asked.keep(key, answer)
                return reading
            problem = str(reading)
        return ""

    def _messages(self, text: str, problem: str = "") -> Messages:
        settings = self.asked.settings
        passage, _ = document_material(text, settings.passage_words)
        instruction = material(settings.instruction) if settings.instruction.strip() else ""
        return self._prompt.messages({"passage": passage, "instruction": instruction}, (), problem)
