"""`measure` against the outputs that trec_eval's own test suite expects."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from rerank_lab.corpora.judged import read_qrels
from rerank_lab.corpora.runs import read_run
from rerank_lab.evaluation.measures import Averaging, measure

HOME = os.environ.get("RERANK_LAB_DATA", "")
FOLDER = Path(HOME) / "eval-parity" / "trec_eval" / "test"
pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not HOME, reason="RERANK_LAB_DATA is not set"),
]

PLAIN = {
    "num_q": "NumQ", "num_ret": "NumRet", "num_rel": "NumRel", "num_rel_ret": "NumRet(rel={rel})",
    "map": "AP(rel={rel})", "Rprec": "Rprec(rel={rel})", "bpref": "Bpref(rel={rel})",
    "recip_rank": "RR(rel={rel})", "infAP": "infAP(rel={rel})", "ndcg": "nDCG",
    "set_P": "SetP(rel={rel})", "set_relative_P": "SetP(rel={rel},relative=True)",
    "set_recall": "SetR(rel={rel})", "set_map": "SetAP(rel={rel})", "set_F": "SetF(rel={rel})",
}  # fmt: skip
AT = {
    "P": "P(rel={rel})@{at}", "recall": "R(rel={rel})@{at}", "map_cut": "AP(rel={rel})@{at}",
    "ndcg_cut": "nDCG@{at}", "success": "Success(rel={rel})@{at}",
    "iprec_at_recall": "IPrec(rel={rel})@{at}",
}  # fmt: skip


def notation(name: str, rel: int) -> str | None:
    """The ir_measures name for one of trec_eval's, or None when it has none."""
    if name in PLAIN:
        if name == "num_rel" and rel > 1:
            return None  # ir_measures has it for level 1 only
        return PLAIN[name].format(rel=rel)
    found = re.fullmatch(r"(.+)_(\d+(?:\.\d+)?)", name)
    if found and found[1] in AT:
        return AT[found[1]].format(rel=rel, at=found[2])
    return None


CASES = [
    # expected, qrels, results, relevance level, complete, fewest values checked
    ("out.test", "qrels.test", "results.test", 1, False, 25),
    ("out.test.a", "qrels.test", "results.test", 1, False, 50),
    ("out.test.aq", "qrels.test", "results.test", 1, False, 220),
    ("out.test.aq", "qrels.test", "results.test", 1, True, 220),
    ("out.test.aqc", "qrels.test", "results.trunc", 1, True, 220),
    ("out.test.aql", "qrels.rel_level", "results.test", 2, False, 220),
    ("out.test.meas_params", "qrels.test", "results.test", 1, False, 50),
    ("out.comment.test", "qrels.comment.test", "results.comment.test", 1, False, 25),
]


@pytest.mark.parametrize(("expected", "qrels", "results", "rel", "complete", "fewest"), CASES)
def test_agrees_with_trec_eval(
    expected: str, qrels: str, results: str, rel: int, complete: bool, fewest: int
) -> None:
    rows = [line.split() for line in (FOLDER / expected).read_text().splitlines()]
    wanted = {(q, n): v for n, q, v in rows if notation(n, rel)}
    names = {name: notation(name, rel) or "" for _, name in wanted}
    done = measure(
        read_qrels(FOLDER / qrels).qrels,
        read_run(FOLDER / results).rankings,
        list(names.values()),
        Averaging(complete=complete, trec_order=True),
    )

    assert len(wanted) >= fewest
    wrong = {}
    for (query_id, name), value in wanted.items():
        values = done.measures if query_id == "all" else done.per_query[query_id]
        if abs(values[names[name]] - float(value)) > 0.5000001e-4:
            wrong[query_id, name] = (values[names[name]], value)
    assert wrong == {}
