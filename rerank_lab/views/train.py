"""What the Train page shows, as plain values: the sentence, folds, importances, kept models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rerank_lab.core.spec import PipelineSpec
from rerank_lab.evaluation.joint_comparisons import JointComparison, compare_jointly
from rerank_lab.fusion.learned.model import FIRST, MODEL, SIGNAL, Fold, LearnedModel
from rerank_lab.views.choices import reranker_names
from rerank_lab.views.formatting import counted
from rerank_lab.views.results_table import p_words, signed

_LEARNERS = {"lightgbm": "LightGBM LambdaMART", "xgboost": "XGBoost rank:ndcg"}
_FEW = 50
_UNJUDGED = 0.5


FIRST_STAGES = ("bm25", "dense", "rrf(bm25,dense)")
SIGNALS = ("bm25", "dense", "overlap")
"""What is chosen before anybody chooses: quick, and different from each other."""


@dataclass(frozen=True, slots=True)
class Rung:
    """One line of the comparison: mean of the measure, and the model against it (None: itself)."""

    name: str
    mean: float
    compared: JointComparison | None

    @property
    def against(self) -> str:
        """`+0.21 [+0.15, +0.27], p < 0.001`, the model over this one; "" for the model itself."""
        return "" if self.compared is None else _difference(self.compared)


@dataclass(frozen=True, slots=True)
class ImportanceBar:
    """What a feature counts for: its share of all gain, 0 to 1, and the splits that use it."""

    feature: str
    share: float
    splits: int


@dataclass(frozen=True, slots=True)
class TrainView:
    """Everything about one model. `features` are those with the mean of each as a ranker."""

    sentence: str
    notes: tuple[str, ...]
    rungs: tuple[Rung, ...]
    folds: tuple[Fold, ...]
    importances: tuple[ImportanceBar, ...]
    features: tuple[tuple[str, float], ...]
    measure: str
    best: str
    facts: str
    method: str
    """How intervals and p-values come about; "" without comparisons."""


@dataclass(frozen=True, slots=True)
class ModelLine:
    """One kept model in the list."""

    name: str
    sources: str
    figure: str
    created: str


def train_view(model: LearnedModel) -> TrainView:
    """The view of a trained model. Differences are the model's over the other, by query."""
    validation = model.validation
    compared = comparisons(model)
    rungs = [Rung(f"learned: {model.name}", validation.mean(MODEL), None)]
    labels = {SIGNAL: f"best single signal: {signal_name(validation.best)}"}
    labels[FIRST] = f"order before: {model.origin.before}"
    rungs += [Rung(labels[name], validation.mean(name), one) for name, one in compared.items()]
    ranked = sorted(validation.features.items(), key=lambda item: (-item[1], item[0]))
    return TrainView(
        _sentence(model, compared.get(SIGNAL), compared.get(FIRST)),
        _notes(model),
        tuple(rungs),
        validation.folds,
        tuple(
            ImportanceBar(one.feature, one.gain, one.splits)
            for one in model.importances
            if one.gain > 0
        ),
        tuple(ranked),
        validation.measure,
        signal_name(validation.best),
        _facts(model),
        _method(len(compared)),
    )


def model_line(model: LearnedModel) -> ModelLine:
    """`my-model`, `bm25 >> ltr(...)`, `nDCG@10 0.64 on helpdesk, cross-validated`, a date."""
    validation = model.validation
    mean = f"{validation.measure} {validation.mean(MODEL):.2f}"
    figure = f"{mean} on {model.origin.corpus}, cross-validated"
    created = model.origin.created_at[:16].replace("T", " ")
    return ModelLine(model.name, model.spec, figure, f"{created} UTC")


def flatters(model: LearnedModel) -> str:
    """The warning that the queries it learned from are no test of it any more."""
    return (
        f"On these {len(model.origin.query_ids):,} queries the model flatters itself from now on, "
        "on Compare and Evaluate: the figures here are the ones to quote."
    )


def first_stages(pipelines: Sequence[PipelineSpec]) -> tuple[str, ...]:
    """What a model can be trained behind: first stages known here, then those on screen."""
    on_screen = [str(spec.source) for spec in pipelines]
    return tuple(dict.fromkeys((*FIRST_STAGES, *on_screen)))


def signals() -> tuple[str, ...]:
    """Names that can be sources: quick ones, models of the catalogue, then components."""
    return tuple(dict.fromkeys((*SIGNALS, *reranker_names())))


def free_name(corpus: str, taken: Sequence[str]) -> str:
    """A name for the next model: that of the corpus, numbered when it is taken."""
    plain = "".join(letter if letter.isascii() and letter.isalnum() else "-"
                    for letter in corpus.lower()).strip("-")[:40]  # fmt: skip
    name = f"{plain or 'model'}-ltr"
    number = 2
    while name in taken:
        name = f"{plain or 'model'}-ltr-{number}"
        number += 1
    return name


def comparisons(model: LearnedModel) -> dict[str, JointComparison]:
    """The model against the best single signal and the order before, as one family."""
    values = model.validation.values
    compared = {name: values[name] for name in (SIGNAL, FIRST) if values.get(name)}
    joint = compare_jointly(MODEL, compared | {MODEL: values.get(MODEL, {})})
    return {one.a: one for one in joint}


def signal_name(feature: str) -> str:
    """A source by its score is called by its own name."""
    return feature.removesuffix(" score")


def _sentence(
    model: LearnedModel, signal: JointComparison | None, first: JointComparison | None
) -> str:
    validation = model.validation
    query_count = counted(len(validation.values[MODEL]), "query", "queries")
    if signal is None or first is None:
        mean = f"{validation.mean(MODEL):.2f} {validation.measure}"
        return f"On {query_count}, the learned model reaches {mean}."
    best = signal_name(validation.best)
    verdict = {
        1: f"Yes: together they rank better than {best} alone",
        0: f"Not shown: together they do not clearly rank better than {best} alone",
        -1: f"No: {best} alone ranks better than all of them together",
    }[signal.verdict()]
    reached = f"{signal.mean_b:.2f} {validation.measure}"
    lead = f"the model reaches {reached} on {query_count} that it did not see"
    return (
        f"{verdict}; {lead}, {best} {signal.mean_a:.2f} "
        f"({_difference(signal)}), {model.origin.before} {first.mean_a:.2f} "
        f"({_difference(first)})."
    )


def _difference(one: JointComparison) -> str:
    """`+0.21 [+0.15, +0.27], p < 0.001`; an end that few queries leave open is an ellipsis."""
    low, high = ("…" if end is None else signed(end) for end in (one.low, one.high))
    return f"{signed(one.difference)} [{low}, {high}], {p_words(one.p)}"


def _method(family: int) -> str:
    if not family:
        return ""
    number = counted(family, "comparison")
    return (
        f"Intervals and p-values are of one test (paired sign flips) and corrected for {number} "
        "together (Bonferroni, 95 %): an interval leaves out 0 exactly where p is below 0.05."
    )


def _notes(model: LearnedModel) -> tuple[str, ...]:
    origin = model.origin
    notes = []
    if not any(one.gain > 0 for one in model.importances):
        notes.append(
            "The model found nothing to go by: it keeps the order before it. More judged queries "
            "or other sources may help."
        )
    queries = len(origin.query_ids)
    if queries < _FEW:
        notes.append(
            f"{counted(queries, 'query', 'queries')} teach little: with {_FEW} or more the figures "
            "would be firmer."
        )
    share = origin.unjudged / origin.documents if origin.documents else 0.0
    if share >= _UNJUDGED:
        notes.append(
            f"{share:.0%} of the candidates were never judged and count as not relevant, in "
            "training as in the measure."
        )
    return tuple(notes)


def _facts(model: LearnedModel) -> str:
    origin, settings = model.origin, model.settings
    learner = _LEARNERS[settings.learner]
    version = origin.versions.get(settings.learner, "")
    return " · ".join([
        origin.corpus,
        counted(len(origin.query_ids), "query", "queries"),
        f"{origin.documents:,} candidates, {origin.relevant:,} of them relevant",
        f"{learner} {version}".strip(),
        f"{settings.rounds} trees of {settings.leaves} leaves",
        f"seed {settings.seed}",
        f"{origin.created_at[:16].replace('T', ' ')} UTC",
    ])  # fmt: skip
