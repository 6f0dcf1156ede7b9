"""Queries in the shapes of collections that are known for their documents: SMART and SQuAD."""

from __future__ import annotations

from collections.abc import Iterator

from rerank_lab.core.problems import ProblemLog
from rerank_lab.corpora.readers.base import QueryRow, Sample
from rerank_lab.corpora.readers.judged.base import FoundQuery, JudgedFile, JudgedReader, Rows
from rerank_lab.corpora.readers.smart import SMARTReader
from rerank_lab.corpora.readers.squad import SQuADReader


class SMARTQueries(JudgedReader[FoundQuery]):
    """Queries of a SMART collection (cran.qry, CISI.QRY): `.I id`, then `.W` with the text."""

    name = "smart"

    def recognises(self, file: JudgedFile) -> bool:
        """As the documents of such a collection."""
        return SMARTReader().sniff(Sample(file.source, file.options)) is not None

    def read(self, file: JudgedFile, log: ProblemLog) -> Rows[FoundQuery]:
        """One query a record."""
        return Rows(_smart(file, log), "SMART queries", {"id": ".I", "text": ".W"})


class SQuADQueries(JudgedReader[FoundQuery]):
    """The questions of a set in the shape of SQuAD."""

    name = "squad"

    def recognises(self, file: JudgedFile) -> bool:
        """As the paragraphs of such a set."""
        return SQuADReader().sniff(Sample(file.source, file.options)) is not None

    def read(self, file: JudgedFile, log: ProblemLog) -> Rows[FoundQuery]:
        """One query a question, with its own id."""
        entries = SQuADReader().read(file.source, file.options, log)
        rows = (FoundQuery(*entry) for entry in entries if isinstance(entry, QueryRow))
        return Rows(rows, "SQuAD questions")


def _smart(file: JudgedFile, log: ProblemLog) -> Iterator[FoundQuery]:
    for line, record in SMARTReader().read(file.source, file.options, log):
        text = record["text"] or record["title"]
        if text:
            yield FoundQuery(line, record["id"], text)
        else:
            log.error(
                "The query has no text; it was left out.",
                "Write the text after .W.",
                file=file.name,
                line=line,
            )
