"""What changed since an experiment ran: its corpus, judgments, models, prompts and libraries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from rerank_lab.corpora.corpus import Corpus
from rerank_lab.evaluation.experiments import Design
from rerank_lab.evaluation.experiments.environment import (
    ComponentState,
    Environment,
    component_states,
    installed_version,
)
from rerank_lab.evaluation.experiments.store import ExperimentRecord, environments_of_all
from rerank_lab.pipeline.engine import Engine


class ChangeKind(StrEnum):
    """What may change after an experiment."""

    CORPUS_GONE = "corpus gone"
    CORPUS = "corpus"
    JUDGMENTS = "judgments"
    PROMPT = "prompt"
    FILES = "files"
    COMPONENT = "component"
    MISSING = "missing"
    LIBRARY = "library"
    SERVED = "served"
    MIXED = "mixed"


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that is not as it was.

    Attributes:
        kind: what it is.
        subject: its name: a corpus, a component, a package, a model.
        before: what it was, where that can be said.
        after: what it is now, where that can be said.
        count: of the queries whose judgments differ; 0 for anything else.
    """

    kind: ChangeKind
    subject: str
    before: str = ""
    after: str = ""
    count: int = 0


def environments(experiment_id: str, home: Path | None = None) -> tuple[Environment, ...]:
    """The environments that the answers of an experiment came from, oldest first.

    None for experiments of versions that did not record them.

    Raises:
        LabError: the lab database cannot be read.
    """
    return ExperimentRecord(experiment_id, home).environments()


def changes_since(design: Design, corpus: Corpus | None, engine: Engine) -> tuple[Change, ...]:
    """What is not as it was when an experiment ran; () when everything is.

    Args:
        design: of the experiment.
        corpus: the one of its name, with the judgments that count by the design's basis; None when
            there is none any more.
        engine: makes the components as they are now.

    Raises:
        LabError: the lab database cannot be read.
    """
    recorded = environments(design.id, engine.home)
    changes = [*_of_corpus(design, corpus, recorded)]
    if recorded:
        last = recorded[-1]
        now = component_states(design.pipelines, engine)
        changes += _of_components(last.components, now)
        changes += _of_libraries(last.libraries)
        changes += _of_served(design, last, environments_of_all(engine.home))
        if len(recorded) > 1:
            changes.append(Change(ChangeKind.MIXED, "", recorded[0].recorded_at, last.recorded_at))
    return tuple(changes)


def _of_corpus(
    design: Design, corpus: Corpus | None, recorded: tuple[Environment, ...]
) -> Iterator[Change]:
    if corpus is None:
        yield Change(ChangeKind.CORPUS_GONE, design.corpus)
    elif corpus.content_hash != design.corpus_hash:
        yield Change(ChangeKind.CORPUS, design.corpus)
    elif design.basis.with_labels or (recorded and recorded[-1].corpus_judgments):
        count = sum(
            dict(corpus.qrels.get(query.id, {})) != dict(design.qrels.get(query.id, {}))
            for query in design.queries
        )
        if count:
            yield Change(ChangeKind.JUDGMENTS, design.corpus, count=count)


def _of_components(
    before: Mapping[str, ComponentState], now: Mapping[str, ComponentState]
) -> Iterator[Change]:
    for name, state in before.items():
        current = now.get(name, ComponentState(""))
        if current.fingerprint == state.fingerprint:
            continue
        if not current.fingerprint:
            yield Change(ChangeKind.MISSING, name)
        elif not state.fingerprint:
            yield Change(ChangeKind.COMPONENT, name)
        elif current.prompt != state.prompt:
            yield Change(ChangeKind.PROMPT, name)
        elif current.weights != state.weights:
            yield Change(ChangeKind.FILES, name)
        else:
            yield Change(ChangeKind.COMPONENT, name)


def _of_libraries(before: Mapping[str, str]) -> Iterator[Change]:
    for package, number in before.items():
        current = installed_version(package)
        if current != number:
            yield Change(ChangeKind.LIBRARY, package, number, current)


def _of_served(
    design: Design, last: Environment, of_all: Mapping[str, tuple[Environment, ...]]
) -> Iterator[Change]:
    """Models that a provider answered under several names, or under another one since then."""
    for asked, names in last.served.items():
        if len(names) > 1:
            yield Change(ChangeKind.SERVED, asked, names[0], ", ".join(names[1:]))
            continue
        later = [
            environment
            for experiment_id, recorded in of_all.items()
            if experiment_id != design.id
            for environment in recorded
            if asked in environment.served and environment.recorded_at > last.recorded_at
        ]
        newest = max(later, key=lambda one: one.recorded_at, default=last).served[asked]
        if newest != names:
            yield Change(ChangeKind.SERVED, asked, names[0], ", ".join(newest))
