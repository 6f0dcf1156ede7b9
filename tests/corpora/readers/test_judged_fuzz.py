"""Whatever stands in a file of judgments, queries or a run: it is read, or refused in words."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from rerank_lab.core.errors import LabError
from rerank_lab.core.problems import ProblemLog
from rerank_lab.corpora.judged import read_judgments, read_queries
from rerank_lab.corpora.readers.base import ReadOptions
from rerank_lab.corpora.runs import read_run
from rerank_lab.corpora.source import Source
from tests.corpora.readers.test_judged_shapes import RELEVANT_ONLY, SHAPES

PIECES = (b"\x00", b'"', b"[", b"{", b"}", b"nan", b"1e999", b"#", b"\t", b"\n", b",", b"<top>",
          b"qid:", b"\xff\xfe", b"null", b"-1", b":", b"\xed\xa0\x80", b"<topic>")  # fmt: skip


def mutated(seed: bytes, chance: random.Random) -> bytes:
    data = bytearray(seed)
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(data) + 1)
        if chance.random() < 0.5:
            data[at:at] = chance.choice(PIECES)
        else:
            del data[at : at + chance.randint(1, 9)]
    return bytes(data)


@pytest.mark.parametrize("name", [*SHAPES, *RELEVANT_ONLY])
def test_any_bytes_are_read_or_refused(name: str, tmp_path: Path) -> None:
    content = (SHAPES | RELEVANT_ONLY)[name]
    seed = content.encode() if isinstance(content, str) else content
    chance, end = random.Random(name), time.monotonic() + 0.5
    while time.monotonic() < end:
        data = mutated(seed, chance)
        source, file = Source(name, data=data), tmp_path / name
        file.write_bytes(data)
        for read in (
            lambda s=source: read_judgments(s, ReadOptions(), ProblemLog()),
            lambda s=source: read_queries(s, ReadOptions(), ProblemLog()),
            lambda f=file: read_run(f),
        ):
            try:
                read()
            except LabError as error:
                assert error.hint  # noqa: PT017
