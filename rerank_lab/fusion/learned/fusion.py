"""Learning to rank as a stage: `bm25 >> ltr(bm25,dense,overlap,model="my-model")`."""

from __future__ import annotations

from collections.abc import Sequence

from rerank_lab.components.base import Info, Param
from rerank_lab.core.errors import ContractViolation, InvalidInput, LabError
from rerank_lab.core.types import Ranking
from rerank_lab.core.work import Work
from rerank_lab.fusion.base import TOP, Candidates, Fusion
from rerank_lab.fusion.learned import store
from rerank_lab.fusion.learned.learners import load_library
from rerank_lab.fusion.learned.model import MODEL, LearnedModel

SCALE = "lambdamart"


class NoModelYet(InvalidInput):
    """The pipeline names no trained model: the one problem of a pipeline that is to be trained."""


class LearnedFusion(Fusion):
    """A LambdaMART model over what the sources, the stage before and the texts say."""

    info = Info(
        name="ltr",
        kind="fusion",
        family="learning to rank",
        summary="Weighs its sources, words and columns by a model trained from judgments here.",
        scale=SCALE,
        params=(
            TOP,
            Param("model", "", "Name of a model trained here (page Train).", label="Model"),
        ),
        extra="ltr",
        min_sources=1,
        stage_only=True,
    )

    def problems(self) -> list[LabError]:
        """No model, one for other sources, or a learner that is not installed."""
        try:
            load_library(self.model().settings.learner)
        except LabError as error:
            return [error]
        return []

    def weights_digest(self) -> str:
        """Digest of the trained model. Raises InvalidInput when there is none."""
        return self.model().digest

    def fuse(self, rankings: Sequence[Ranking], previous: Sequence[str] = ()) -> Ranking:
        """Raises ContractViolation: rankings alone are not enough for a trained model."""
        raise ContractViolation(
            "A learned fusion needs the texts of its candidates.",
            hint="Use it as a stage behind another one.",
        )

    def rerank(self, candidates: Candidates, work: Work) -> Ranking:
        """Order the candidates by the model's scores; ties keep the order before."""
        model = self.model()
        before = candidates.before
        if before.hits and before.scale != model.origin.scale:
            raise InvalidInput(
                f"The model {model.name!r} was trained behind a stage that scores by "
                f"{model.origin.scale}; here the stage before it scores by {before.scale}.",
                hint=f"Put it behind {model.origin.before}, or train one for this place.",
            )
        if model.saw(candidates.query):
            work.warn(seen_warning(model))
        if not candidates.docs:
            return Ranking.from_order(before.query_id, ())
        scores = store.load_trees(model).predict(model.features.matrix(candidates))
        by_id = dict(zip(before.doc_ids, map(float, scores), strict=True))
        return Ranking.from_scores(before.query_id, by_id, SCALE, before.doc_ids)

    def model(self) -> LearnedModel:
        """The model named. Raises InvalidInput when there is none, or it does not fit here."""
        name = str(self.options["model"])
        if not name:
            raise NoModelYet(
                "This learned fusion has no model yet.",
                hint="Train one on the Train page, or with rerank-lab train, and name it: "
                'model="my-model".',
            )
        model = store.load_model(name)
        here, there = [str(source) for source in self.sources], list(model.features.sources)
        if here != there:
            raise InvalidInput(
                f"The model {name!r} was trained with the sources {', '.join(there)}, "
                f"not with {', '.join(here)}.",
                hint=f'Write ltr({",".join(there)},model="{name}"), or train one with these.',
            )
        return model


def seen_warning(model: LearnedModel) -> str:
    """What to know of an answer to a query that the model was trained on."""
    validation = model.validation
    return (
        f"The model {model.name} was trained on this query, so this answer flatters it. Quote "
        f"its cross-validated {validation.measure}, {validation.mean(MODEL):.3f}."
    )
