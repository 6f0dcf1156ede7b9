"""Regular run files are read as a whole, with what reading them line by line gives."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.problems import ProblemLog
from rerank_lab.core.types import Run
from rerank_lab.corpora import runs as runs_module
from rerank_lab.corpora.judged import JudgedReading
from rerank_lab.corpora.readers.base import ReadOptions
from rerank_lab.corpora.readers.judged.base import JudgedFile
from rerank_lab.corpora.readers.judged.regular_runs import regular_run
from rerank_lab.corpora.runs import read_run_file
from rerank_lab.corpora.source import Source

QUERIES = st.sampled_from(["q1", "q2", "7", "1e3"])
DOCUMENTS = st.one_of(
    st.sampled_from(["d1", "d2", "d3", 'a"b', "D#7", "NULL", "nan"]),
    st.integers(0, 10**6).map(lambda number: f"doc-{number}"),
)
NUMBERS = st.sampled_from(
    ["1", "2", "3", "10", "0", "-0.0", "0.5", "1e-3", "5.", ".5", "-7", "1e300"]
)
ODD_NUMBERS = st.sampled_from(["nan", "inf", "1_0", "x", "0x1", "1e400", "+1", "1,5", "-"])
ODD_LINES = st.sampled_from(
    [
        *("", "# a comment", "q1 Q0 d9 1 2 t # said later", "q1 Q0 d9 1", "q1 Q0 d9 1 2 t more"),
        *(" q1 Q0 d 1 2 t", "q1 Q0 d9 1 2 ", "q1  Q0 d8 1 2 t", "q1\tQ0\td7\t1\t2\tt"),
        *("q1 Q0 d\u00e9 1 2 t", "q1 Q0 d6 1 2 t\r", "q1 Q0 d\x0b6 1 2 t", "#q 0 d5 1 2 t"),
        "q1\x1fx Q0 d 1 2 t",
    ]
)


@st.composite
def contents(draw: st.DrawFn) -> str:
    width = draw(st.sampled_from([6, 6, 4, 3]))
    numbers = draw(st.sampled_from([NUMBERS, NUMBERS, st.one_of(NUMBERS, ODD_NUMBERS)]))
    separator = draw(st.sampled_from([" ", " ", "\t"]))
    lines = []
    for _ in range(draw(st.integers(1, 8))):
        cells = [draw(QUERIES), "Q0", draw(DOCUMENTS), draw(numbers), draw(numbers), "tag"]
        if width < 6:
            cells = [cells[0], cells[2], cells[3], cells[4]][:width]
        lines.append(separator.join(cells))
    if draw(st.booleans()):
        lines.insert(draw(st.integers(0, len(lines))), draw(ODD_LINES))
    end = draw(st.sampled_from(["\n", "\n", "\r\n"]))
    return end.join(lines) + draw(st.sampled_from([end, ""]))


def _outcome(path: Path) -> tuple[Run, JudgedReading, object] | tuple[str, str]:
    log = ProblemLog()
    try:
        contents = read_run_file(path, log=log)
    except InvalidInput as error:
        return str(error), str(error.problems)
    return contents.run, contents.reading, log.problems


@given(contents())
def test_a_file_read_as_a_whole_gives_what_its_lines_give(
    tmp_path_factory: pytest.TempPathFactory, content: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "some.trec"
    path.write_bytes(content.encode())
    at_once = _outcome(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs_module, "regular_run", lambda file: None)
        by_line = _outcome(path)
    assert at_once == by_line
    if isinstance(at_once[0], Run):
        assert list(at_once[0].rankings) == list(by_line[0].rankings)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "content",
    [
        "q1 Q0 d1 1 2.5 t\nq1 Q0 d#2 2 1 t\nq2 Q0 d1 1 7 t",
        "q1\tQ0\td1\t1\t2.5\tt\r\nq1\tQ0\td2\t2\t1\tt\r\n",
        "q1 d1 1 2.5\nq1 d2 2 1\n",
        "q1\td1\t1\nq1\td2\t2\n",
    ],
)
def test_usual_files_are_regular(tmp_path: Path, content: str) -> None:
    path = tmp_path / "usual.trec"
    path.write_text(content, newline="")
    assert regular_run(JudgedFile(Source.of(path), ReadOptions())) is not None


def test_a_line_over_the_limit_is_told_by_line(tmp_path: Path) -> None:
    path = tmp_path / "long.trec"
    path.write_text(f"q1 Q0 {'d' * 200} 1 2.5 t\nq1 Q0 d2 2 1 t\n")
    options = ReadOptions()
    assert regular_run(JudgedFile(Source.of(path), options)) is not None
    narrow = dataclasses.replace(options, limits=dataclasses.replace(options.limits, line=100))
    assert regular_run(JudgedFile(Source.of(path), narrow)) is None
