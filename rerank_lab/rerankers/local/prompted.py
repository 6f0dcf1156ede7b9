"""Language models as pointwise rerankers: one pass over a template, one logit as the score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from rerank_lab.components.base import Info, Param
from rerank_lab.core.context import Context
from rerank_lab.core.errors import InvalidInput, LabError, ModelUnavailable
from rerank_lab.core.work import Work
from rerank_lab.models import ModelOptions
from rerank_lab.models.locate.folder import LocatedModel
from rerank_lab.models.prompt_templates import DECODERS, SEQ2SEQ, Template, choose
from rerank_lab.models.token_budget import TokenBudget, prompt_token_budget
from rerank_lab.models.torch.adapter import find_adapter
from rerank_lab.models.torch.prompted import PromptedModel, open_prompted_model
from rerank_lab.rerankers.local.base import LocalReranker, local_params
from rerank_lab.rerankers.long_documents import LONG


def prompted_params(model: str, *more: Param) -> tuple[Param, ...]:
    """The options of a reranker that is a language model run by torch."""
    return (*(p for p in local_params(model) if p.name != "backend"), *more)


class _Prompted(LocalReranker[PromptedModel]):
    templates: ClassVar[Mapping[str, Template]]

    @property
    def instruction(self) -> str:
        """What relevance means here, "" for the model's own words."""
        return str(self.options.get("instruction", ""))

    @property
    def template(self) -> Template:
        """The template in use. Raises ModelUnavailable when the model's name does not tell.

        Raises InvalidInput for an instruction that it has no place for.
        """
        name = choose(str(self.options["template"]), self.model, self.templates)
        if not name:
            raise ModelUnavailable(
                f"Nothing is known of how {self.model} was trained to be asked.",
                hint=f"Name its template: {', '.join(self.templates)}.",
            )
        template = self.templates[name]
        if self.instruction.strip() and not template.takes_instruction:
            taking = [key for key, one in self.templates.items() if one.takes_instruction]
            raise InvalidInput(
                f"Models asked by the template {name!r} take no instruction.",
                hint=f"Leave it out, or choose a model of one of these: {', '.join(taking)}.",
            )
        return template

    def problems(self) -> list[LabError]:
        try:
            _ = self.template
        except (InvalidInput, ModelUnavailable) as error:
            return [*super().problems(), error]
        return super().problems()

    def weights_digest(self) -> str:
        adapter = str(self.options.get("adapter", ""))
        merged = f":{find_adapter(adapter).digest}" if adapter else ""
        return f"{super().weights_digest()}:{self.template.digest()}{merged}"

    def _open(self, model: str, ctx: Context, options: ModelOptions) -> PromptedModel:
        name = str(self.options.get("adapter", ""))
        adapter = find_adapter(name) if name else None
        return open_prompted_model(model, self.template, ctx, options, adapter)

    def _token_budget(self, located: LocatedModel, query: str, limit: int) -> TokenBudget | None:
        return prompt_token_budget(located.folder, self.template, query, self.instruction, limit)

    def score(self, query: str, texts: Sequence[str], work: Work) -> list[float]:
        shared = {"query": query, "instruction": self.instruction}
        with self._used(work) as usage:
            prompts = [{**shared, "document": text} for text in texts]
            scores = self.opened.score(prompts, work.ctx, usage)
        work.truncated |= usage.truncated
        return scores


class DecoderReranker(_Prompted):
    """Causal language models trained as rerankers.

    Qwen3-Reranker, mxbai-rerank v2, zerank, bge-reranker-v2-gemma (the logit of yes, less that of
    no where the model was trained so) and RankLLaMA (a classification head),
    with or without a LoRA adapter.
    """

    templates = DECODERS
    info: ClassVar[Info] = Info(
        name="decoder",
        kind="reranker",
        family="language model, one logit",
        summary="A language model reads a template and answers yes or no with one logit.",
        scale="logit",
        params=prompted_params(
            "qwen3-reranker-0.6b",
            LONG,
            Param(
                "template",
                "auto",
                "How query and document are shown; auto goes by the model's name. For zerank-2 the "
                "template is that of zerank-1: its own has not been confirmed.",
                choices=("auto", *DECODERS),
                label="Template",
            ),
            Param(
                "instruction",
                "",
                "What relevance means here, for templates that take one; empty for the model's.",
                label="Instruction",
            ),
            Param(
                "adapter",
                "",
                "Local folder of a LoRA adapter, or empty.",
                label="Adapter",
                local=True,
            ),
        ),
    )


class Seq2SeqReranker(_Prompted):
    """monoT5, its multilingual mT5 form, and RankT5: the first token that the decoder would say."""

    templates = SEQ2SEQ
    info: ClassVar[Info] = Info(
        name="seq2seq",
        kind="reranker",
        family="seq2seq",
        summary="A T5 model reads query and document; its first token's logit is the score.",
        scale="logit",
        params=prompted_params(
            "monot5-base",
            LONG,
            Param(
                "template",
                "auto",
                "How query and document are shown; auto goes by the model's name.",
                choices=("auto", *SEQ2SEQ),
                label="Template",
            ),
        ),
    )
