"""Judgments of learning to rank: `grade qid:N 1:0.5 ... # document` (RankLib, LETOR, SVMrank).

The document stands in the comment, as `# d2 coffee filters` (Quepid, Elasticsearch Learning to
Rank) or `#docid = d2 inc = 1` (LETOR). A comment line `# qid:1: coffee filters` is a query's text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from rerank_lab.core.problems import ProblemLog
from rerank_lab.corpora.readers.judged.base import JudgedFile, JudgedPair, JudgedReader, Rows

_LINE = re.compile(r"\s*(\S+)\s+qid:(\S+)\s*([^#]*)(?:#(.*))?")
_TITLE = re.compile(r"#\s*qid:(\S+?):?\s+(.*)")
_LETOR_ID = re.compile(r"docid\s*=\s*(\S+)", re.IGNORECASE)


class LetorJudgments(JudgedReader[JudgedPair]):
    """Judgments of RankLib, LETOR and the like."""

    name = "letor"

    def recognises(self, file: JudgedFile) -> bool:
        """The first line that is no comment is a grade and a qid."""
        first = next((line for line in file.head if not line.lstrip().startswith("#")), "")
        return _LINE.fullmatch(first) is not None

    def read(self, file: JudgedFile, log: ProblemLog) -> Rows[JudgedPair]:
        """One judgment a line."""
        return Rows(_rows(file, log), "RankLib or LETOR judgments")


def _rows(file: JudgedFile, log: ProblemLog) -> Iterator[JudgedPair]:
    texts: dict[str, str] = {}
    own_texts = _repeats_texts(file)
    for number, line in file.lines(log):
        if not line.strip():
            log.tally(file.name, "empty lines")
            continue
        if line.lstrip().startswith("#"):
            log.tally(file.name, "comment lines")
            if title := _TITLE.fullmatch(line.strip()):
                texts[title[1]] = title[2].strip()
            continue
        match = _LINE.fullmatch(line)
        comment = (match[4] or "").strip() if match else ""
        if match is None or not comment:
            log.error(
                "The line names no document." if match else "The line has no grade and qid.",
                "Write: grade qid:query # document.",
                file=file.name,
                line=number,
            )
            continue
        letor = _LETOR_ID.match(comment)
        document, *rest = comment.split(maxsplit=1)
        text = "" if letor else texts.get(match[2]) or ("".join(rest) if own_texts else "")
        yield JudgedPair(number, match[2], letor[1] if letor else document, match[1], text)


def _repeats_texts(file: JudgedFile) -> bool:
    """Whether what follows the documents of a query is always the same: the text of the query.

    Elsewhere it is the title of the document.
    """
    texts: dict[str, str] = {}
    for _, line in file.lines(ProblemLog()):
        match = _LINE.fullmatch(line)
        _, *rest = (match[4] or "").split(maxsplit=1) or [""] if match else [""]
        if match and texts.setdefault(match[2], "".join(rest).strip()) != "".join(rest).strip():
            return False
    return True
