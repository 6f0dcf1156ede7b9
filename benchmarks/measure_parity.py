"""How far measures are from trec_eval's expected outputs and from rank_llm's published scores.

Both are printed with four decimals there, so that half of the last one is no difference.

    RERANK_LAB_DATA=... python benchmarks/measure_parity.py
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from _report import report

from rerank_lab.corpora.judged import read_qrels
from rerank_lab.corpora.runs import read_run
from rerank_lab.evaluation.measures import Averaging, measure

TREC_EVAL = {
    "map": "AP", "Rprec": "Rprec", "bpref": "Bpref", "recip_rank": "RR", "ndcg": "nDCG",
    "P_5": "P@5", "P_10": "P@10", "P_100": "P@100", "recall_10": "R@10", "recall_100": "R@100",
    "ndcg_cut_5": "nDCG@5", "ndcg_cut_10": "nDCG@10", "ndcg_cut_100": "nDCG@100",
    "map_cut_10": "AP@10", "success_1": "Success@1", "success_10": "Success@10",
}  # fmt: skip
"""trec_eval's names of the usual measures and those of ir_measures; tests check all of them."""


def trec_eval(root: Path) -> dict[str, Any]:
    """Values of single queries and means of trec_eval's own test, and the largest difference."""
    folder = root / "eval-parity" / "trec_eval" / "test"
    qrels = read_qrels(folder / "qrels.test").qrels
    rankings = read_run(folder / "results.test").rankings
    averaging = Averaging(complete=False, trec_order=True)
    ours = measure(qrels, rankings, list(TREC_EVAL.values()), averaging)
    differences = []
    for line in (folder / "out.test.aq").read_text("utf-8").splitlines():
        name, query_id, value = line.split()
        if name in TREC_EVAL:
            values = ours.measures if query_id == "all" else ours.per_query[query_id]
            differences.append(abs(values[TREC_EVAL[name]] - float(value)))
    return {"values": len(differences), "largest_difference": max(differences)}


def rank_llm(root: Path) -> dict[str, Any]:
    """nDCG@10 of rank_llm's published runs of TREC DL 2019: ours, theirs."""
    qrels = read_qrels(root / "dl19" / "qrels.tsv").qrels
    published = json.loads((root / "eval-parity" / "rank_llm" / "published.json").read_text())
    figures = {}
    for entry in published:
        rankings = read_run(root / entry["run"]).rankings
        ours = measure(qrels, rankings, ["nDCG@10"], Averaging(trec_order=True)).measures
        theirs = entry["published"]["ndcg_cut_10"]
        figures[Path(entry["run"]).stem] = {"ours": ours["nDCG@10"], "published": theirs}
    return figures


if __name__ == "__main__":
    data = Path(os.environ["RERANK_LAB_DATA"])
    report("measure parity", {"trec_eval": trec_eval(data), "rank_llm": rank_llm(data)})
