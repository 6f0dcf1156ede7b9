"""Kept experiments as a use case: find, name, tag, archive, copy, and compare with each other."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.text import encodable
from rerank_lab.evaluation.experiments import (
    Evaluation,
    ExperimentEntry,
    delete_experiment,
    list_experiments,
    load_experiment,
)
from rerank_lab.evaluation.experiments.across import (
    AcrossComparison,
    compare_across,
    shared_measures,
)
from rerank_lab.evaluation.experiments.keeping import copy_experiment, describe_experiment
from rerank_lab.services.access import Action, needs

_LONGEST_NAME = 120
_LONGEST_TAG = 40
_LONGEST_NOTE = 4000
_MOST_TAGS = 20


@dataclass(frozen=True, slots=True)
class ExperimentFilter:
    """Which experiments to list.

    Attributes:
        words: all of them must be in the name, corpus, note, tags, pipelines or id.
        tag: only with this tag; "" for all.
        archived: those that were put away, too.
    """

    words: str = ""
    tag: str = ""
    archived: bool = False

    def admits(self, entry: ExperimentEntry) -> bool:
        """Whether an experiment is to be listed."""
        if entry.archived and not self.archived:
            return False
        if self.tag and self.tag not in entry.tags:
            return False
        design = entry.design
        texts = (entry.name, design.corpus, entry.note, design.id, *entry.tags, *design.pipelines)
        everything = "\n".join(texts).casefold()
        return all(word in everything for word in self.words.casefold().split())


def listed(only: ExperimentFilter, home: Path | None = None) -> list[ExperimentEntry]:
    """The kept experiments that a filter admits, the latest first.

    Raises:
        LabError: the lab database cannot be read.
    """
    return [entry for entry in list_experiments(home) if only.admits(entry)]


@needs(Action.EDIT, "experiment_id")
def describe(
    experiment_id: str,
    home: Path | None = None,
    *,
    name: str | None = None,
    tags: Iterable[str] | None = None,
    note: str | None = None,
    archived: bool | None = None,
) -> None:
    """Write what people want to say of a kept experiment; what is None stays as it is.

    Args:
        experiment_id: the experiment.
        home: the data folder; by default that of this process.
        name: what it is called, in one line; "" for no name.
        tags: what it is sorted by, instead of the tags so far.
        note: what is worth remembering of it.
        archived: True puts it away, False takes it back.

    Raises:
        InvalidInput: there is no such experiment, or a text is too long.
        StorageError: the database cannot be reached or written.
    """
    name = None if name is None else _text("name", " ".join(name.split()), _LONGEST_NAME)
    note = None if note is None else _text("note", note.strip(), _LONGEST_NOTE)
    cleaned = None
    if tags is not None:
        words = (_text("tag", " ".join(tag.split()), _LONGEST_TAG) for tag in tags)
        cleaned = tuple(dict.fromkeys(filter(None, words)))
        if len(cleaned) > _MOST_TAGS:
            raise InvalidInput(f"These are {len(cleaned)} tags.", hint=f"Use {_MOST_TAGS} at most.")
    describe_experiment(experiment_id, home, name=name, tags=cleaned, note=note, archived=archived)


@needs(Action.DELETE, "experiment_id")
def delete(experiment_id: str, home: Path | None = None) -> None:
    """Delete a kept experiment with everything measured on it.

    Raises:
        StorageError: the database cannot be reached or written.
    """
    delete_experiment(experiment_id, home)


@needs(Action.EDIT, "experiment_id")
def clone(experiment_id: str, home: Path | None = None) -> str:
    """A copy that later runs of the original leave alone; gives its id.

    Raises:
        InvalidInput: there is no such experiment.
        StorageError: the database cannot be reached or written.
    """
    entry = next((one for one in list_experiments(home) if one.id == experiment_id), None)
    name = entry.name if entry is not None else ""
    copy_name = f"Copy of {name or experiment_id[:8]}"[:_LONGEST_NAME]
    return copy_experiment(experiment_id, copy_name, home)


@dataclass(frozen=True, slots=True)
class AcrossRequest:
    """Compare the pipelines of one experiment with a pipeline of another.

    Attributes:
        baseline_id: the experiment of the baseline.
        other_id: the experiment whose pipelines are compared with it.
        measure: by which; "" for the first that both measured.
        baseline: the pipeline to compare with; "" for the first of its experiment.
    """

    baseline_id: str
    other_id: str
    measure: str = ""
    baseline: str = ""

    def between(self, ours: Evaluation, theirs: Evaluation) -> AcrossComparison:
        """The comparison of these two evaluations.

        Raises:
            InvalidInput: they differ in more than their pipelines: the message says in what; or
                the measure or the pipeline is not theirs.
        """
        measures = shared_measures(ours.design, theirs.design)
        measure = self.measure or next(iter(measures), ours.design.measures[0])
        baseline = self.baseline or ours.design.pipelines[0]
        if baseline not in ours.design.pipelines:
            raise InvalidInput(
                f"{baseline} is no pipeline of the evaluation {ours.id}.",
                hint="Name one of: " + ", ".join(ours.design.pipelines),
            )
        return compare_across(ours, theirs, measure, baseline)


def compare(request: AcrossRequest, home: Path | None = None) -> AcrossComparison:
    """The pipelines of one kept experiment against a pipeline of another.

    Raises:
        InvalidInput: as `AcrossRequest.between`; one of them is not there.
        StorageError: the database cannot be read.
    """
    ours = load_experiment(request.baseline_id, home)
    return request.between(ours, load_experiment(request.other_id, home))


def _text(what: str, text: str, longest: int) -> str:
    """A text as every database keeps it. Raises InvalidInput when it is too long."""
    text = encodable(text).replace("\x00", "")
    if len(text) > longest:
        raise InvalidInput(
            f"The {what} has {len(text):,} characters.", hint=f"Use {longest:,} at most."
        )
    return text
