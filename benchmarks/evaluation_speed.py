"""Evaluating run files: fresh, replayed from the lab database, and with the statistics.

    python benchmarks/evaluation_speed.py [queries] [run files] [documents a query] [rounds]

By default 1000 queries x 8 run files x 100 documents, 3 rounds; the arms take turns in each round,
each in a process of its own. Imports are not counted. Printed are medians in seconds, by the clock
and (`_cpu_s`) by the processor, all threads together:

- `fresh`: from the folder of the corpus and the run files to the measures, all answers written to a
  new lab database.
- `replay`: the same call again, which finds every answer there.
- `replay_statistics`: the same with the table: tests, intervals and groups.
- `kept`: from the id of the experiment to its table, as its page does; nothing else is opened.
- `choose`: from the id to the first decision of Choose; `unjudged`: to the bounds for unjudged
  documents.
- `ir_measures`, `pytrec_eval`, `ranx`: the same files read and the same measures computed by these
  packages, where they are installed (`ranx` in a process that has compiled its code before; its
  time with the compilation is `ranx_cold`). They keep nothing, test nothing and check less.

`difference` is the largest between our means and those of ir_measures.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

sys.path.insert(0, os.path.dirname(__file__))
from _report import report

MEASURES = ["nDCG@10", "RR@10", "AP", "P@5", "P@10", "R@10", "R@100"]
ARMS = {
    "fresh": "ours", "replay": "ours", "replay_statistics": "ours", "kept": "ours",
    "choose": "ours", "unjudged": "ours",
    "ir_measures": "ir_measures", "pytrec_eval": "pytrec_eval", "ranx": "ranx",
}  # fmt: skip
TIMER = """
import json, sys, time
from pathlib import Path
folder, arm, measures = Path(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3])
runs = sorted((folder / "runs").iterdir())
def timed(work):
    clock, cpu = time.perf_counter(), time.process_time()
    value = work()
    return value, {"s": time.perf_counter() - clock, "cpu_s": time.process_time() - cpu}
def done(means, times, **more):
    print(json.dumps({"means": means, **times, **more}))
"""
OURS = """
from rerank_lab import load_corpus
from rerank_lab.evaluation.experiments import load_experiment, plan, run
from rerank_lab.pipeline.engine import default_engine
from rerank_lab.evaluation.unjudged import unjudged_bounds
from rerank_lab.services.decide import decide
import rerank_lab.retrievers.run_file, scipy.special, ir_measures, sqlalchemy.dialects.sqlite
engine = default_engine()
specs = [f'run(path="{path}")' for path in runs]
def work():
    if arm in ("kept", "choose", "unjudged"):
        evaluation = load_experiment((folder / "id").read_text())
    else:
        corpus = load_corpus(folder / "corpus")
        evaluation = run(plan(corpus, specs, measures=[*measures, "Judged@10"], engine=engine))
    if arm in ("kept", "replay_statistics"):
        evaluation.table()
    elif arm == "choose":
        decide(evaluation, engine)
    elif arm == "unjudged":
        unjudged_bounds(evaluation)
    return evaluation
evaluation, times = timed(work)
(folder / "id").write_text(evaluation.id)
means = {path.name: dict(outcome.measures) for path, outcome in zip(runs, evaluation.outcomes)}
assert all(outcome.answered == outcome.queries for outcome in evaluation.outcomes)
done(means, times)
"""
IR_MEASURES = """
import ir_measures
parsed = [ir_measures.parse_measure(name) for name in measures]
def work():
    qrels = list(ir_measures.read_trec_qrels(str(folder / "qrels.trec")))
    evaluator = ir_measures.evaluator(parsed, qrels)
    return {path.name: evaluator.calc_aggregate(ir_measures.read_trec_run(str(path)))
            for path in runs}
means, times = timed(work)
done({name: {str(m): v for m, v in row.items()} for name, row in means.items()}, times)
"""
PYTREC_EVAL = """
import pytrec_eval
names = {"ndcg_cut_10", "recip_rank", "map", "P_5", "P_10", "recall_10", "recall_100"}
def work():
    with open(folder / "qrels.trec") as stream:
        evaluator = pytrec_eval.RelevanceEvaluator(pytrec_eval.parse_qrel(stream), names)
    means = {}
    for path in runs:
        with open(path) as stream:
            values = evaluator.evaluate(pytrec_eval.parse_run(stream))
        means[path.name] = {
            name: sum(row[name] for row in values.values()) / len(values) for name in sorted(names)
        }
    return means
means, times = timed(work)
done(means, times)
"""
RANX = """
import ranx
names = ["ndcg@10", "mrr@10", "map", "precision@5", "precision@10", "recall@10", "recall@100"]
def work():
    qrels = ranx.Qrels.from_file(str(folder / "qrels.trec"), kind="trec")
    read = [ranx.Run.from_file(str(path), kind="trec") for path in runs]
    return [ranx.evaluate(qrels, one, names) for one in read]
_, cold = timed(work)
means, times = timed(work)
done({}, times, cold=cold)
"""
PROGRAMS = {"ours": OURS, "ir_measures": IR_MEASURES, "pytrec_eval": PYTREC_EVAL, "ranx": RANX}


def main() -> None:
    """Print the medians."""
    arguments = [int(argument) for argument in sys.argv[1:]]
    sizes, rounds = (arguments[:3] or [1000, 8, 100]), (arguments[3:] or [3])[0]
    times: dict[str, list[float]] = defaultdict(list)
    means: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_files(folder, *sizes)
        for number in range(rounds):
            os.environ["RERANK_LAB_HOME"] = str(folder / f"home-{number}")
            for arm, program in ARMS.items():
                figures = _run(program, folder, arm)
                if figures is None:
                    continue
                means[arm] = figures["means"]
                times[f"{arm}_s"].append(figures["s"])
                times[f"{arm}_cpu_s"].append(figures["cpu_s"])
                if "cold" in figures:
                    times["ranx_cold_s"].append(figures["cold"]["s"])
    medians = {name: round(statistics.median(values), 3) for name, values in times.items()}
    shape = {"queries, run files, documents": sizes, "rounds": rounds}
    report("evaluation speed", shape | medians | _differences(means))


def _differences(means: dict[str, Any]) -> dict[str, float]:
    theirs, ours = means.get("ir_measures"), means["fresh"]
    if theirs is None:
        return {}
    pairs = [(ours[run][name], value) for run, row in theirs.items() for name, value in row.items()]
    return {"difference": max(abs(one - other) for one, other in pairs)}


def _run(program: str, folder: Path, arm: str) -> dict[str, Any] | None:
    """What a process measured; None where its package is not installed."""
    command = [sys.executable, "-c", TIMER + PROGRAMS[program], str(folder), arm]
    child = subprocess.run([*command, json.dumps(MEASURES)], capture_output=True, text=True)
    if "ModuleNotFoundError" in child.stderr and program != "ours":
        return None
    if child.returncode:
        raise SystemExit(child.stderr)
    figures: dict[str, Any] = json.loads(child.stdout.splitlines()[-1])
    return figures


def write_files(folder: Path, queries: int, files: int, depth: int) -> None:
    """A corpus with judged queries, its judgments for the peers, and run files of other systems.

    Each system ranks another choice of 2 x depth candidates of a query; a third of them is judged.
    """
    rng = random.Random(1)
    documents = 20 * queries
    corpus = folder / "corpus"
    (corpus / "qrels").mkdir(parents=True)
    (folder / "runs").mkdir()
    words = [f"word{number}" for number in range(500)]
    with (corpus / "corpus.jsonl").open("w") as stream:
        for number in range(documents):
            text = " ".join(rng.choices(words, k=12))
            stream.write(json.dumps({"_id": f"doc-{number:06d}", "text": text}) + "\n")
    with (corpus / "queries.jsonl").open("w") as stream:
        for number in range(queries):
            text = f"query {number} of {rng.choice(words)}"
            stream.write(json.dumps({"_id": f"q{number}", "text": text}) + "\n")
    pools = [rng.sample(range(documents), 2 * depth) for _ in range(queries)]
    grades = [{doc: rng.choice((0, 0, 0, 1, 2, 3)) for doc in pool[::3]} for pool in pools]
    judged = [(q, doc, grade) for q, row in enumerate(grades) for doc, grade in row.items()]
    with (corpus / "qrels" / "test.tsv").open("w") as stream:
        stream.write("query-id\tcorpus-id\tscore\n")
        stream.writelines(f"q{q}\tdoc-{doc:06d}\t{grade}\n" for q, doc, grade in judged)
    with (folder / "qrels.trec").open("w") as stream:
        stream.writelines(f"q{q} 0 doc-{doc:06d} {grade}\n" for q, doc, grade in judged)
    for file in range(files):
        with (folder / "runs" / f"system-{file}.trec").open("w") as stream:
            for q, pool in enumerate(pools):
                noise = {doc: rng.random() + grades[q].get(doc, 0) / 10 for doc in pool}
                best = sorted(noise, key=lambda doc: -noise[doc])[:depth]
                steps = sorted(rng.sample(range(100_000), depth), reverse=True)
                stream.writelines(
                    f"q{q} Q0 doc-{doc:06d} {rank} {step / 1000:.3f} system-{file}\n"
                    for rank, (doc, step) in enumerate(zip(best, steps, strict=True), 1)
                )


if __name__ == "__main__":
    main()
