"""Judgments read as a whole: the same as row by row, and any unusual file is read row by row."""

from __future__ import annotations

import random

import pytest

from rerank_lab.core.paths import samples_home
from rerank_lab.core.problems import ProblemLog
from rerank_lab.corpora import judged
from rerank_lab.corpora.judged import Judgments, read_judgments
from rerank_lab.corpora.readers.base import ReadOptions
from rerank_lab.corpora.readers.judged.plain_table import plain_judgments
from rerank_lab.corpora.source import Source

HEADER = "query-id\tcorpus-id\tscore\n"


def both_ways(source: Source, monkeypatch: pytest.MonkeyPatch) -> list[tuple[Judgments, object]]:
    answers = []
    for plain in (True, False):
        with monkeypatch.context() as patched:
            if not plain:
                patched.setattr(judged, "plain_judgments", lambda _: None)
            log = ProblemLog()
            answers.append(
                (read_judgments(source, ReadOptions(), log), (log.problems, log.tallies))
            )
    return answers


@pytest.mark.parametrize("name", ["helpdesk", "science-answers", "multilingual-faq"])
def test_the_samples_are_read_as_a_whole(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    source = Source.of(samples_home() / name / "qrels.tsv")
    assert plain_judgments(source) is not None
    whole, by_row = both_ways(source, monkeypatch)
    assert whole == by_row
    assert list(whole[0].qrels) == list(by_row[0].qrels)
    assert whole[0].reading.sentence == by_row[0].reading.sentence


def test_any_ids_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(4)
    letters = "".join(map(chr, range(33, 127)))
    for _ in range(60):
        ids = ["".join(rng.choices(letters, k=rng.randint(1, 4))) for _ in range(8)]
        ids += ["nan", "null", "1.0", "1", "0", "Q0", "=1"]
        pairs = {(rng.choice(ids), rng.choice(ids)) for _ in range(rng.randint(1, 40))}
        lines = (f"{query}\t{document}\t{rng.randint(0, 12)}\n" for query, document in pairs)
        source = Source("qrels.tsv", data=(HEADER + "".join(lines)).encode())
        whole, by_row = both_ways(source, monkeypatch)
        assert whole == by_row


@pytest.mark.parametrize(
    "text",
    [
        "q1\td1\t1\nq1\td1\t1\n",
        "q1\td1\t1\nq1\td1\t2\n",
        "q1\td1\t1.0\n",
        "q1\td1\t\n",
        "q1\td1\t1\n\nq2\td1\t1\n",
        'q1\t"d1"\t1\n',
        "q1\td 1\t1\n",
        "q1\tü\t1\n",
        "q1\td1\t1\r\n",
        "q1\td1\t1",
        "q1\td1\t-1\n",
        "q1\t'=d\t1\n",
        "",
    ],
)
def test_unusual_files_are_left_to_the_reader_of_tables(text: str) -> None:
    assert plain_judgments(Source("qrels.tsv", data=(HEADER + text).encode())) is None
    assert plain_judgments(Source("qrels.tsv", data=text.encode())) is None
