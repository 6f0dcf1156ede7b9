"""Run and judgment files: read leniently where trec_eval does, written so that it agrees."""

from __future__ import annotations

import itertools
from pathlib import Path

import ir_measures
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.problems import ProblemLog
from rerank_lab.core.types import Ranking, Run
from rerank_lab.corpora.judged import read_qrels
from rerank_lab.corpora.runs import read_run, trec_lines, write_qrels, write_run
from tests.corpora.make import qrels_of_lines, run_of_lines

scores = st.one_of(
    st.floats(-1e30, 1e30),
    st.sampled_from([0.0, -0.0, 1.0, 1.0 + 1e-12, 1e-45, 3.4e38, -3.4e38, 16777216.0, 1e300]),
)


@st.composite
def rankings(draw: st.DrawFn, query_id: str) -> Ranking:
    names = draw(st.lists(st.sampled_from([f"d{n}" for n in range(40)]), unique=True, max_size=12))
    scored = draw(st.integers(0, len(names)))
    head = Ranking.from_scores(query_id, {d: draw(scores) for d in names[:scored]}, "logit")
    if not scored:
        return Ranking.from_order(query_id, names)
    return head.followed_by(names[scored:])


@st.composite
def runs(draw: st.DrawFn) -> Run:
    queries = draw(st.lists(st.sampled_from(["q1", "q2", "ü3"]), unique=True, max_size=3))
    return Run("a run", "bm25 >> x", {q: draw(rankings(q)) for q in queries})


@given(runs())
def test_trec_export_strictly_decreases_as_32_bit_floats_and_keeps_the_order(run: Run) -> None:
    lines = list(trec_lines(run))
    for query_id, ranking in run.rankings.items():
        rows = [line.split() for line in lines if line.startswith(f"{query_id} ")]
        assert [row[2] for row in rows] == list(ranking.doc_ids)
        assert [int(row[3]) for row in rows] == list(range(1, len(ranking) + 1))
        values = [np.float32(row[4]) for row in rows]
        assert all(a > b for a, b in itertools.pairwise(values))
        assert np.isfinite(values).all()


@given(runs())
def test_trec_round_trip_keeps_the_order(run: Run) -> None:
    log = ProblemLog()
    again = run_of_lines(trec_lines(run), log)
    assert not log.problems
    assert {q: r.doc_ids for q, r in again.rankings.items()} == {
        q: r.doc_ids for q, r in run.rankings.items() if len(r)
    }


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
@settings(max_examples=60)
@given(run=runs())
def test_jsonl_and_parquet_keep_everything(
    suffix: str, run: Run, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("run") / f"run.{suffix}"
    write_run(run, path)
    assert read_run(path) == run


def test_distinct_scores_are_written_as_they_are(tmp_path: Path) -> None:
    run = Run("my run", "", {"q": Ranking.from_scores("q", {"a": 2.5, "b": 1.25}, "bm25")})
    write_run(run, tmp_path / "r.trec")
    assert (tmp_path / "r.trec").read_text() == "q Q0 a 1 2.5 my_run\nq Q0 b 2 1.25 my_run\n"


def test_trec_eval_sees_the_order_of_the_screen(tmp_path: Path) -> None:
    """Tied scores: trec_eval would put the later id first; the export leaves no tie."""
    ranking = Ranking.from_scores("q", dict.fromkeys(["a", "b", "c"], 1.0), "logit")
    write_run(Run("r", "", {"q": ranking}), tmp_path / "r.trec")
    run = list(ir_measures.read_trec_run(str(tmp_path / "r.trec")))
    qrels = [ir_measures.Qrel("q", "a", 1)]
    assert ir_measures.pytrec_eval.calc_aggregate([ir_measures.RR], qrels, run) == {
        ir_measures.RR: 1.0
    }


def test_scores_decide_and_ranks_break_ties() -> None:
    text = ["q Q0 a 3 1.0 t", "q Q0 b 2 1.0 t", "q Q0 c 1 0.5 t", "q Q0 z 9 7 t", "p 0 x 1 1 t"]
    run = run_of_lines(text, ProblemLog())
    assert run.rankings["q"].doc_ids == ("z", "b", "a", "c")
    assert run.rankings["p"].doc_ids == ("x",)
    assert run.name == "t"


def test_every_bad_line_of_a_run_is_listed(tmp_path: Path) -> None:
    path = tmp_path / "bad.trec"
    path.write_text("q Q0 a 1 9 t\nq Q0 b 2\nq Q0 c 3 nan t\nq Q0 d x 7 t\nq Q0 a 4 6 t\n\n")
    with pytest.raises(InvalidInput) as caught:
        read_run(path)
    assert [line.split(":")[0].split(", ")[-1] for line in caught.value.problems] == [
        "line 2",
        "line 3",
        "line 4",
        "line 5",
    ]
    assert "six columns" in caught.value.hint


@pytest.mark.parametrize("name", ["none.trec", "none.jsonl", "none.parquet"])
def test_missing_run_file(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidInput, match="no run file"):
        read_run(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.jsonl", b'{"run": "x"}\n'),
        ("a.jsonl", b"[]\n"),
        ("a.jsonl", b""),
        (
            "a.jsonl",
            b'{"run":"x","spec":""}\n{"query_id":"q","scale":"s","hits":[["a",1],["b",2]]}',
        ),
        ("a.parquet", b"PAR1 rubbish"),
        ("a.trec", b""),
        ("a.trec", b"\xff\xfe\x00"),
    ],
)
def test_files_that_are_no_runs(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InvalidInput, match=name):
        read_run(tmp_path / name)


def test_ids_with_spaces_cannot_go_into_a_trec_file(tmp_path: Path) -> None:
    run = Run("r", "", {"q": Ranking.from_order("q", ["a b", "c"])})
    with pytest.raises(InvalidInput, match="'a b'") as caught:
        write_run(run, tmp_path / "r.trec")
    assert "JSONL" in caught.value.hint
    assert not list(tmp_path.iterdir())


@given(
    qrels=st.dictionaries(
        st.sampled_from(["q1", "q2"]),
        st.dictionaries(st.sampled_from(["a", "b", "#c"]), st.integers(-2, 5), min_size=1),
        min_size=1,
    )
)
def test_qrels_round_trip(
    qrels: dict[str, dict[str, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("qrels") / "qrels.txt"
    write_qrels(qrels, path)
    assert read_qrels(path).qrels == qrels


def test_comments_of_as_many_words_as_a_judgment_are_left_out() -> None:
    log = ProblemLog()
    lines = ["# judged in March", "#7 0 doc#3 2", "7 0 doc#3 1"]
    assert qrels_of_lines(lines, log) == {"#7": {"doc#3": 2}, "7": {"doc#3": 1}}
    assert not log.problems


def test_bad_qrels_are_listed_and_the_good_part_is_there() -> None:
    log = ProblemLog()
    lines = ["q 0 a 1", "q 0 b one", "q 0 c", "# note", "q 0 a 2", "", "q 0 d 2.0"]
    assert qrels_of_lines(lines, log) == {"q": {"a": 1, "d": 2}}
    assert [problem.line for problem in log.problems] == [2, 3, 5]


@pytest.mark.data
def test_files_of_trec_eval_itself(data_folder: Path) -> None:
    folder = data_folder / "eval-parity" / "trec_eval" / "test"
    mine = read_qrels(folder / "qrels.test").qrels
    theirs = list(ir_measures.read_trec_qrels(str(folder / "qrels.test")))
    assert {(q, d): g for q, judged in mine.items() for d, g in judged.items()} == {
        (row.query_id, row.doc_id): row.relevance for row in theirs
    }
    run = read_run(folder / "results.test")
    rows = list(ir_measures.read_trec_run(str(folder / "results.test")))
    assert sum(len(ranking) for ranking in run.rankings.values()) == len(rows)
    plain, commented = (
        qrels_of_lines((folder / name).read_text().splitlines(), ProblemLog(), name)
        for name in ("qrels.123", "qrels.comments.123")
    )
    assert commented["302"] == plain["302"]
