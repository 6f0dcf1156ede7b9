"""Experiment files as a use case: run one, hold its gates, tell what changed since last time."""

from __future__ import annotations

import datetime
import hashlib
import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rerank_lab.core.context import Context
from rerank_lab.core.errors import InvalidInput, LabError
from rerank_lab.core.judgment_basis import OWN
from rerank_lab.core.storage import disk_errors, write_file
from rerank_lab.corpora import Corpus, load_corpus
from rerank_lab.decision.cost import CostTerms
from rerank_lab.decision.drift import Drift, RunSnapshot, drift, snapshot
from rerank_lab.decision.gate_checks import CheckedGate, GateEvidence, GateResult, check_gates
from rerank_lab.decision.gates import Gate, ThresholdGate
from rerank_lab.decision.latency import pipeline_latency
from rerank_lab.evaluation.experiments import Evaluation, load_experiment, score
from rerank_lab.evaluation.experiments.environment import libraries_in_use
from rerank_lab.evaluation.statistics import Settings
from rerank_lab.evaluation.studies import save_study, studies
from rerank_lab.jobs.workers import Workers
from rerank_lab.pipeline.engine import Engine
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.services import evaluate as evaluations
from rerank_lab.services.cost import cost_study, pipeline_costs
from rerank_lab.services.evaluate import EvaluationRequest
from rerank_lab.services.experiment_files import (
    ExperimentFile,
    ExperimentTerms,
    read_experiment_file,
)
from rerank_lab.services.load import load_studies
from rerank_lab.services.qrels import JudgmentSource, source_of, with_judgments

FILE_STUDY = "file"
"""The kind of study that keeps what an experiment file says of its experiment."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ExperimentRun:
    """What became of an experiment file.

    Attributes:
        terms: What the file says.
        evaluation: Its results.
        gates: Every gate against every pipeline that it is about.
        drift: What changed since the last run; None when there was none.
    """

    terms: ExperimentTerms
    evaluation: Evaluation
    gates: tuple[CheckedGate, ...]
    drift: Drift | None = None

    def passed(self, *, allow_undecided: bool = False) -> bool:
        """Whether no gate failed; one that cannot be decided fails too, unless it is allowed."""
        stops = (
            {GateResult.FAILED} if allow_undecided else {GateResult.FAILED, GateResult.UNDECIDED}
        )
        return not any(one.result in stops for one in self.gates)

    def to_json(self) -> dict[str, Any]:
        """The results of the evaluation, names, gates and drift."""
        terms = self.terms
        return {
            "id": self.evaluation.id,
            **self.evaluation.to_json(terms.measures[0], _baseline(terms)),
            "names": dict(terms.pipelines),
            "gates": [one.to_json() for one in self.gates],
            "drift": None if self.drift is None else self.drift.to_json(),
        }


def opened(file: ExperimentFile) -> Corpus:
    """The corpus of a file with the queries and judgments that count.

    Judgments of a file that is named are what counts, else those of the corpus and the lab's.

    Raises:
        InvalidInput: as `load_corpus`.
    """
    corpus = load_corpus(file.corpus, queries=file.queries, qrels=file.qrels)
    return with_judgments(corpus, JudgmentSource(OWN) if file.qrels is not None else None)


def evaluation_request(terms: ExperimentTerms) -> EvaluationRequest:
    """The evaluation that a file asks for, with every measure that a gate names."""
    specs = tuple(Pipeline(spec).spec for spec in terms.pipelines.values())
    return EvaluationRequest(specs, terms.all_measures)


def run(
    file: ExperimentFile,
    corpus: Corpus,
    ctx: Context,
    engine: Engine,
    last: Path | None = None,
    workers: Workers | None = None,
) -> ExperimentRun:
    """Run what has no answer yet, hold the gates, and compare with the last run.

    Args:
        file: What to run.
        corpus: As `opened` gave it.
        ctx: Without a score cache every model is asked again.
        engine: Where components come from.
        last: The snapshot of the last run, written anew; by default one in the data folder.
        workers: Who runs the cells; by default this thread.

    Raises:
        InvalidInput: The experiment cannot be planned, or `last` is no snapshot.
        Cancelled: What was answered by then is kept; the same file goes on from there.
    """
    terms = file.terms
    place = last or snapshot_place(file, engine.home)
    before = last_snapshot(place)
    evaluation = evaluations.run(evaluation_request(terms), corpus, ctx, engine, workers)
    if not evaluation.unkept:
        save_study(evaluation.id, FILE_STUDY, {}, terms.to_json(), engine.home)
    now = snapshot(
        evaluation,
        terms.names,
        libraries_in_use(),
        datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    )
    if any(outcome.answered for outcome in evaluation.outcomes):
        write_file(place, now.to_bytes())
    gates = gate_results(evaluation, terms, terms.parsed_gates, engine, corpus)
    return ExperimentRun(terms, evaluation, gates, drift(before, now) if before else None)


def gate_results(
    evaluation: Evaluation,
    terms: ExperimentTerms,
    gates: tuple[Gate, ...],
    engine: Engine,
    corpus: Corpus | None = None,
) -> tuple[CheckedGate, ...]:
    """Hold gates against an evaluation, without running anything.

    Args:
        evaluation: Finished or not; measures that a gate needs are worked out from its rankings.
        terms: Names, baseline, seed and load.
        gates: What to hold.
        engine: Where components come from; nothing is sent and no model is loaded.
        corpus: The documents; without them, what providers bill is unknown.

    Raises:
        InvalidInput: A gate names no pipeline of the experiment.
    """
    needed = (gate.measure for gate in gates if gate.measure)
    measured = _with_measures(evaluation, (*terms.measures, *needed))
    of_load = load_studies(evaluation.id, engine.home)
    costs = pipeline_costs(measured, engine, terms.load, corpus=corpus, load_studies=of_load)
    specs = measured.design.pipelines
    evidence = GateEvidence(
        measured,
        terms.pipelines,
        _baseline(terms),
        terms.measures[0],
        {spec: pipeline_latency(measured, spec, of_load) for spec in specs},
        costs,
        Settings(seed=terms.seed),
    )
    return check_gates(gates, evidence)


def load_run(experiment_id: str, engine: Engine) -> ExperimentRun:
    """A kept experiment with the gates of its file, held anew.

    Raises:
        InvalidInput: There is no such experiment.
    """
    evaluation = load_experiment(experiment_id, engine.home)
    terms = terms_of(evaluation, engine.home)
    return ExperimentRun(terms, evaluation, kept_gates(evaluation, terms.parsed_gates, engine))


def kept_gates(
    evaluation: Evaluation, gates: tuple[Gate, ...], engine: Engine, seed: int | None = None
) -> tuple[CheckedGate, ...]:
    """Hold gates against a kept experiment, with its documents where a gate is about the cost.

    Args:
        evaluation: Finished or not.
        gates: What to hold.
        engine: Where components come from; nothing is sent and no model is loaded.
        seed: Of tests and intervals; that of its file where none is given.

    Raises:
        InvalidInput: A gate names no pipeline of the experiment.
    """
    terms = terms_of(evaluation, engine.home)
    if seed is not None:
        terms = replace(terms, seed=seed)
    priced = any(isinstance(gate, ThresholdGate) and gate.quantity == "cost" for gate in gates)
    corpus = corpus_of(evaluation, engine.home) if priced else None
    return gate_results(evaluation, terms, gates, engine, corpus)


def terms_of(evaluation: Evaluation, home: Path | None = None) -> ExperimentTerms:
    """What the file of an experiment says.

    Without one, pipelines are called by their specs, and costs are reckoned for the load that was
    kept with the experiment.
    """
    specs = evaluation.design.pipelines
    for study in studies(evaluation.id, FILE_STUDY, home):
        try:
            terms = ExperimentTerms.from_json(study.result)
        except ValueError:
            _log.warning("What the file of experiment %s says cannot be read.", evaluation.id)
            continue
        if set(terms.pipelines.values()) == set(specs):
            return terms
    costs = cost_study(evaluation.id, home)
    load = CostTerms() if costs is None else costs.terms
    return ExperimentTerms({spec: spec for spec in specs}, evaluation.design.measures, load=load)


def corpus_of(evaluation: Evaluation, home: Path) -> Corpus | None:
    """The documents of an evaluation where they can be had as they were, else None."""
    corpus = corpus_now(evaluation, home)
    if corpus is not None and corpus.content_hash == evaluation.design.corpus_hash:
        return corpus
    return None


def corpus_now(evaluation: Evaluation, home: Path) -> Corpus | None:
    """What the file of an experiment, or the name of its corpus, leads to now; None for nothing.

    With the judgments that count as they counted then.
    """
    terms = terms_of(evaluation, home)
    with suppress(LabError):
        if terms.path:
            return opened(read_experiment_file(terms.path))
        source = source_of(evaluation.design.basis)
        return with_judgments(load_corpus(evaluation.design.corpus), source)
    return None


def names_of(evaluation: Evaluation, home: Path | None = None) -> Mapping[str, str]:
    """How the file of an experiment calls its pipelines, by spec; the specs without a file."""
    return terms_of(evaluation, home).names


def snapshot_place(file: ExperimentFile, home: Path) -> Path:
    """Where the snapshot of a file's last run stands in the data folder."""
    digest = hashlib.sha256(str(file.path.resolve()).encode()).hexdigest()[:20]
    return home / "experiment-runs" / f"{digest}.json"


def last_snapshot(place: Path) -> RunSnapshot | None:
    """The snapshot at a place, None when there is none.

    Raises:
        InvalidInput: What is there is no snapshot.
    """
    if not place.exists():
        return None
    try:
        with disk_errors(place):
            return RunSnapshot.from_bytes(place.read_bytes())
    except ValueError:
        raise InvalidInput(
            f"{place} is not what an earlier run has written there.",
            hint="Remove it, or name another file with --last.",
        ) from None


def _baseline(terms: ExperimentTerms) -> str:
    """The spec of the baseline, "" where there is none."""
    return terms.pipelines.get(terms.baseline, "")


def _with_measures(evaluation: Evaluation, measures: tuple[str, ...]) -> Evaluation:
    """The evaluation with measures that it may lack, from the rankings that it keeps."""
    wanted = tuple(dict.fromkeys((*evaluation.design.measures, *measures)))
    if wanted == evaluation.design.measures:
        return evaluation
    return score(replace(evaluation.design, measures=wanted), evaluation.cells.values())
