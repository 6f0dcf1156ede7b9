"""`measure` against the scores that rank_llm publishes for its own run files (TREC DL 2019)."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from rerank_lab.corpora.judged import read_qrels
from rerank_lab.corpora.runs import read_run
from rerank_lab.evaluation.measures import Averaging, measure

HOME = os.environ.get("RERANK_LAB_DATA", "")
pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not HOME, reason="RERANK_LAB_DATA is not set"),
]


def test_agrees_with_what_rank_llm_publishes() -> None:
    root = Path(HOME)
    published = json.loads((root / "eval-parity" / "rank_llm" / "published.json").read_text())
    qrels = read_qrels(root / "dl19" / "qrels.tsv").qrels
    ours = {}
    for entry in published:
        rankings = read_run(root / entry["run"]).rankings
        done = measure(qrels, rankings, ["nDCG@10"], Averaging(trec_order=True))
        ours[entry["run"]] = done.measures["nDCG@10"]

    assert len(ours) == 6
    # Published with four decimals.
    assert ours == {
        entry["run"]: pytest.approx(entry["published"]["ndcg_cut_10"], abs=0.5000001e-4)
        for entry in published
    }
