"""What people type or follow: pipelines, links, prompts and measures."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from urllib.parse import parse_qs

from rerank_lab.core.errors import LabError
from rerank_lab.core.spec import parse
from rerank_lab.evaluation.experiments.store import load_experiment
from rerank_lab.fusion.learned.store import load_model
from rerank_lab.models.locate.resolve import availability
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.services import comparisons
from rerank_lab.ui.shared import state
from rerank_lab.views import prompts
from tests.fuzz.targets.base import (
    PROJECT,
    named,
    text_of,
)

SPECS = (
    "bm25",
    'bm25(k=100) >> cross-encoder(model="ms-marco-minilm-l12",top=50)',
    'rrf(bm25,dense(model="minilm-l6"),k=60) >> threshold(min=0.5)',
    "bm25 >> ms-marco-minilm-l12",
    'weighted(bm25,rank-bm25,norm="minmax") >> mmr(lambda=0.5)',
    'run(path="pool.trec") >> identity',
    'bm25 >> rrf(ms-marco-minilm-l12,dense) >> listwise(base_url="http://localhost:1/v1",model="m")',
    'bm25 >> cohere(model="rerank-v3.5",long="max",passage_tokens=100)',
    "splade",
    "rm3(docs=10)",
    'bm25 >> ltr(bm25,overlap,model="mine")',
    "bm25 >> platt(slope=1.0,intercept=0) >> threshold(min=.5)",
)


def read_spec(data: bytes, _: Path) -> None:
    """A pipeline as it is typed; one that is read is written so that it is read the same."""
    text = text_of(data)
    spec = parse(text)
    assert parse(str(spec)) == spec, text
    again = str(Pipeline(text))
    assert str(Pipeline(again)) == again, text


def read_link(data: bytes, _: Path) -> None:
    """The part of a link behind the question mark."""
    values = parse_qs(data.decode("utf-8", "replace"), keep_blank_values=True)
    specs, notices = state.checked_pipelines(values.get("p", []))
    assert all(notice.encode() for notice in notices)
    assert len(specs) <= state.MAX_PIPELINES
    state.flat(" ".join(values.get("q", []))).encode()
    for name in values.get("saved", []):
        comparisons.find(name)
    refusals: list[LabError] = []
    for load, key in ((load_experiment, "experiment"), (load_model, "model"), (availability, "m")):
        for name in values.get(key, []):
            try:
                load(name)  # type: ignore[operator]
            except LabError as error:
                refusals.append(error)
    if refusals:
        raise refusals[0]


def read_prompt(data: bytes, _: Path) -> str:
    """A prompt as it is edited in the app."""
    kind, _, text = text_of(data).partition("\n")
    template, problems = prompts.check(text, kind if kind in prompts.KINDS else "listwise")
    assert template is not None or problems
    assert all(problem.what.encode() for problem in problems)
    return "".join(c for c in problems[0].what[:40] if c.isalpha()) if problems else "read"


def prompt_seeds() -> list[bytes]:
    from rerank_lab.rerankers.llm.prompts import FOLDER

    files = sorted(FOLDER.glob("*.yaml"))
    return [named(kind, file.read_bytes()) for file in files for kind in prompts.KINDS]


# Measures: in a process of its own, for a failing assertion in C would end this one

MEASURES = (
    "nDCG@10",
    "P(rel=2)@5",
    "AP",
    "RR@10",
    "ERR@10",
    "nDCG(dcg='exp-log2')@10",
    "Judged@10",
    "Compat(p=0.9)",
    "alpha_nDCG@5",
    "RBP(p=0.8,rel=1)",
    "nDCG(gains={0:0,1:3})@5",
    "IPrec@0.5",
    "infAP",
    "SetF(beta=0.5)",
    "Bpref(rel=1)",
    "NERR8@5",
    "BPM@5",
    "StRecall@10",
    "Success@1",
)
CHILD = """
import json, sys
from rerank_lab.core.errors import LabError
from rerank_lab.core.types import Ranking
from rerank_lab.evaluation.measures import measure
for line in sys.stdin:
    text = json.loads(line)
    name, _, grade = text.partition("\\n")
    answer = "read"
    try:
        qrels = {"q": {"a": int(grade[:40]) if grade[:40].isdecimal() else 1, "b": 0}}
        measure(qrels, {"q": Ranking.from_order("q", ["b", "a"])}, [name])
    except LabError as error:
        answer = type(error).__name__ if error.hint and len(error.message) < 20000 else "no hint"
    except BaseException as error:
        answer = f"defect: {type(error).__name__}: {error}"
    print(json.dumps(answer), file=sys.stderr, flush=True)
"""


@cache
def measure_process() -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", CHILD],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        cwd=PROJECT,
    )


def read_measure(data: bytes, _: Path) -> None:
    """A measure's name and a grade, computed in another process."""
    process = measure_process()
    assert process.stdin is not None
    assert process.stderr is not None
    process.stdin.write(json.dumps(text_of(data)) + "\n")
    process.stdin.flush()
    answers: list[str] = []
    while line := process.stderr.readline():
        if line.startswith('"'):
            answers.append(json.loads(line))
            break
    if not answers:
        measure_process.cache_clear()
        raise AssertionError(f"the process ended with {process.wait()}")
    assert answers[0] in ("read", "InvalidInput"), answers[0]


# Replies of servers and language models
