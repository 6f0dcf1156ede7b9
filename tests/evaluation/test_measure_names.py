"""Measure names and grades are checked before C code sees them; whatever is typed, no crash."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.types import Ranking
from rerank_lab.evaluation.measure_names import parse_measures
from rerank_lab.evaluation.measures import measure

RANKING = Ranking.from_order("q", ["a", "b", "c"])

OUTSIDE = [
    "nDCG@0", "P@0", "AP@0", "RR@0", "R@0", "Judged@0", "Success@0", "ERR@0", "P(cutoff=0)",
    "P(rel=0)@5", "AP(rel=0)", "AP(rel=99999999999)", "P(rel=2000)@5", "P@9999999999", "P@True",
    "nDCG(gains={1: 99999999999})@10", "nDCG(gains={1: 0.5})", "nDCG(gains={'a': 1})",
    "SetF(beta=1e999)", "Compat(p=1.5)", "IPrec@1.5", "IPrec@-0.1", "ERR", "nDCG(dcg='exp-log2')",
    "P@" + "9" * 100, "(" * 150, "nDCG(" * 30, "x" * 100_000, "P@1\x00", "P(**x)@1", "",
]  # fmt: skip


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_measure_outside_its_limits_is_refused_in_words(name: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        parse_measures([name])
    assert len(refusal.value.message) < 1000
    with pytest.raises(InvalidInput):
        measure({"q": {"a": 1}}, {"q": RANKING}, [name])


def test_the_limit_is_named() -> None:
    with pytest.raises(InvalidInput, match=r"'nDCG@0'.*cutoff must be 1 to 1,000,000"):
        parse_measures(["nDCG@0"])
    with pytest.raises(InvalidInput, match=r"rel must be 1 to 1,000"):
        parse_measures(["P(rel=0)@5"])


@pytest.mark.parametrize("name", ["ERR@10", "nDCG(dcg='exp-log2')@10"])
@pytest.mark.parametrize("query_id", ["q-1", "a b", "#7", "frage äöü", "-", "1\x00", "7"])
def test_gdeval_measures_take_any_id(name: str, query_id: str) -> None:
    qrels = {query_id: {"d one": 3, "d#2": 1, "dé": -1}, "none": {"d": 0}}
    rankings = {query_id: Ranking.from_order(query_id, ["x", "d one", "d#2"])}
    by_number = {"1": {"1": 3, "2": 1, "3": 0}}
    same = {"1": Ranking.from_order("1", ["9", "1", "2"])}

    values = measure(qrels, rankings, [name]).per_query
    assert values[query_id] == measure(by_number, same, [name]).per_query["1"]
    assert 0 < values[query_id][name] < 1
    assert values["none"][name] == 0


@pytest.mark.parametrize("name", ["ERR@10", "nDCG(dcg='exp-log2')@10"])
def test_gdeval_measures_refuse_grades_above_4_and_say_so(name: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        measure({"q": {"a": 5}}, {"q": RANKING}, [name])
    assert "'a' has grade 5 for query 'q'" in refusal.value.message
    assert f"{name} take grades up to 4" in refusal.value.message


def test_ids_with_a_nul_stay_apart() -> None:
    qrels = {"q": {"a\x00one": 1, "a\x00two": 0}}
    rankings = {"q": Ranking.from_order("q", ["a\x00two", "a\x00one"])}
    assert measure(qrels, rankings, ["RR"]).measures["RR"] == 0.5


def test_huge_grades_are_refused_at_once() -> None:
    for grade in (100_000, 3_000_000_000, 10**30):
        began = time.monotonic()
        with pytest.raises(InvalidInput, match="grades up to 1,000"):
            measure({"q": {"a": grade}}, {"q": RANKING}, ["nDCG@10"])
        assert time.monotonic() - began < 1


def test_measures_without_a_value_are_refused() -> None:
    with pytest.raises(InvalidInput, match="Accuracy"):
        measure({"q": {"a": 1}}, {"q": Ranking.from_order("q", ["a"])}, ["Accuracy"])


FUZZ = """
import sys
from hypothesis import HealthCheck, given, settings, strategies as st
from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.types import Ranking
from rerank_lab.evaluation.measures import measure

numbers = st.one_of(
    st.integers(-3, 3), st.integers(-(10**12), 10**12), st.sampled_from([2**31 - 1, 2**31, 2**63]),
    st.floats(), st.booleans(), st.just("x"), st.dictionaries(st.integers(-2, 2), st.integers()),
)
heads = st.sampled_from(
    "P R RR AP nDCG Judged Success Rprec Bpref infAP SetP SetR SetF SetAP IPrec NumRet NumRel NumQ "
    "NumRelRet Accuracy Compat ERR RBP alpha_nDCG BPM INST StRecall".split()
)
options = st.sampled_from(
    "rel cutoff judged_only gains dcg recall beta p relative alpha normalize T max_rel".split()
)
calls = st.builds(
    lambda head, given, at: head
    + (f"({','.join(f'{k}={v!r}' for k, v in given.items())})" if given else "")
    + (f"@{at}" if at is not None else ""),
    heads, st.dictionaries(options, numbers, max_size=2), st.one_of(st.none(), numbers),
)
ids = st.text(min_size=0, max_size=4)
grades = st.one_of(st.integers(-3, 5), st.integers(-(2**70), 2**70))

@settings(max_examples=int(sys.argv[1]), deadline=None, database=None,
          suppress_health_check=list(HealthCheck))
@given(st.one_of(calls, st.text(max_size=30)), st.dictionaries(ids, grades, min_size=1, max_size=4),
       st.lists(ids, unique=True, max_size=4), ids)
def fuzz(name, judged, ranked, query_id):
    try:
        rankings = {query_id: Ranking.from_order(query_id, ranked)}
        values = measure({query_id: judged}, rankings, [name])
    except InvalidInput as error:
        assert error.message and error.hint
    else:
        assert all(isinstance(value, float) for value in values.measures.values())

fuzz()
print("survived")
"""


def test_no_measure_string_ends_the_process() -> None:
    """In a process of its own: a failing assertion in C would end the tests as well."""
    run = subprocess.run(
        [sys.executable, "-c", FUZZ, "400"], capture_output=True, text=True, timeout=600
    )
    assert run.stdout.strip() == "survived", run.stderr[-3000:]


NEGATIVE = """
from rerank_lab.core.types import Ranking
from rerank_lab.evaluation.measures import measure

for _ in range(300):
    for grades in ({"a": 2, "b": -1}, {"a": -1}, {"a": -3, "b": -2}, {"a": -90_000}):
        for name in ("nDCG", "NumRelRet", "infAP", "Bpref", "AP", "P@5"):
            value = measure({"q": grades}, {"q": Ranking.from_order("q", ["x", "b"])}, [name])
            assert value.measures[name] == 0, (grades, name)
print("survived")
"""


def test_a_query_with_grades_below_0_alone_neither_hangs_nor_ends_the_process() -> None:
    run = subprocess.run(
        [sys.executable, "-c", NEGATIVE], capture_output=True, text=True, timeout=120
    )
    assert run.stdout.strip() == "survived", run.stderr[-3000:]
