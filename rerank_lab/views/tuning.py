"""A search over options in words: what to set, and what the held-out queries say of it."""

from __future__ import annotations

from dataclasses import dataclass

from rerank_lab.core.spec import format_literal
from rerank_lab.evaluation.tuning.options import OptionRange
from rerank_lab.evaluation.tuning.study import SearchStudy, Trial
from rerank_lab.views.formatting import counted
from rerank_lab.views.labels import fraction
from rerank_lab.views.results_table import p_words, signed

FEW = 50
"""With fewer held-out queries than this, only large differences show."""
_SHOWN = 12


@dataclass(frozen=True, slots=True)
class SearchView:
    """What a search says.

    Attributes:
        answer: what to do, then how sure that is.
        pipeline: the spec to take; the start where nothing is shown to be better.
        rows: the trials, best first: settings and mean on the train queries.
        notes: how it was done.
    """

    answer: tuple[str, ...]
    pipeline: str
    rows: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]


def search_view(study: SearchStudy) -> SearchView:
    """The study in words."""
    take_best = study.verdict == "better"
    return SearchView(
        _answer(study),
        study.best if take_best else study.start,
        tuple((settings_words(trial), fraction(trial.train)) for trial in study.trials[:_SHOWN]),
        _notes(study),
    )


def settings_words(trial: Trial) -> str:
    """`rrf.k=30, overlap.top=20`; "as it was" for the start."""
    words = ", ".join(f"{option}={format_literal(value)}" for option, value in trial.settings)
    return words or "as it was"


def range_words(one: OptionRange) -> str:
    """`rrf.k: 10, 30, 60`; texts without their quotes."""
    return f"{one.option}: {', '.join(str(value) for value in one.values)}"


def _answer(study: SearchStudy) -> tuple[str, ...]:
    paired = study.held_out
    if paired is None:
        return (
            "Keep the pipeline as it is: nothing that was tried is better on the train queries.",
        )
    between = ""
    if paired.low is not None and paired.high is not None:
        between = f" [{signed(paired.low)}, {signed(paired.high)}]"
    held_out = (
        f"On {counted(paired.queries, 'query', 'queries')} that had no part in the choice: "
        f"{study.measure} {fraction(paired.mean_a)} before, {fraction(paired.mean_b)} with it, "
        f"{signed(paired.difference)}{between}, {p_words(paired.p)}."
    )
    best = settings_words(next(one for one in study.trials if one.pipeline == study.best))
    if study.verdict == "better":
        return (f"Set {best}: better than before on held-out queries.", held_out)
    if study.verdict == "worse":
        return (f"Keep the pipeline as it is: {best} is worse on held-out queries.", held_out)
    power = ""
    if paired.detectable is not None:
        power = f" So many queries would show a difference of about {paired.detectable:.3f}."
    return (
        f"Keep the pipeline as it is: that {best} is better is not shown on held-out queries.",
        held_out + power,
    )


def _notes(study: SearchStudy) -> tuple[str, ...]:
    tried = counted(len(study.trials), "setting")
    if study.combinations > len(study.trials):
        tried += f" of {study.combinations:,} combinations, sampled by the seed"
    notes = [
        f"{tried} tried on {study.train_queries} train queries; the other "
        f"{study.held_out_queries} were held out (split by seed {study.seed})."
    ]
    gain = study.train_gain
    if gain:
        notes.append(
            f"On the train queries the best setting gained {signed(gain)}. These queries chose it, "
            "so that this figure flatters; only the held-out one counts."
        )
    if study.held_out_queries < FEW:
        notes.append(
            f"{study.held_out_queries} held-out queries are few: only large differences can be "
            "shown. Judge more queries before you rely on a small gain."
        )
    failed = sum(trial.train is None for trial in study.trials)
    if failed:
        notes.append(f"{counted(failed, 'setting')} did not answer every train query.")
    return tuple(notes)
