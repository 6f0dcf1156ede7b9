"""SMART collections (CACM, CISI, Cranfield, MEDLINE): fields that begin with `.I`, `.T`, `.W`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rerank_lab.core.problems import ProblemLog
from rerank_lab.corpora.mapping import ColumnMapping, Row
from rerank_lab.corpora.readers.base import Match, Reader, ReadOptions, Sample
from rerank_lab.corpora.source import Source, detect_decoding, read_lines

_FIELD = re.compile(r"\.([A-Z])\s*(.*)")
_START = re.compile(rb"\.i\s+\S+\s*\n\.[a-z]\b")


class SMARTReader(Reader):
    """A record begins with `.I id`; `.T` is its title, `.W` (or `.B`) its text."""

    name = "smart"
    label = "SMART collection"
    mapping = ColumnMapping("text", "id", "title", ())

    def sniff(self, sample: Sample) -> Match | None:
        """The first line is `.I` with an id, the second another field."""
        start = sample.start.replace(b"\r\n", b"\n")
        return Match(0.95, "it begins with .I and an id") if _START.match(start) else None

    def read(self, source: Source, options: ReadOptions, log: ProblemLog) -> Iterator[Row]:
        """A row a record."""
        decoding = detect_decoding(source, log, options.encoding)
        fields: dict[str, list[str]] = {}
        field, start = "", 0
        for number, line in read_lines(source, decoding, log, options.limits):
            marker = _FIELD.fullmatch(line.rstrip())
            if marker and marker[1] == "I":
                if start:
                    yield start, _record(fields)
                fields, start = {"I": [marker[2]]}, number
            elif marker and len(line.split()[0]) == 2:
                field = marker[1]
                fields.setdefault(field, []).append(marker[2])
            elif field:
                fields.setdefault(field, []).append(line.strip())
        if start:
            yield start, _record(fields)


def _record(fields: dict[str, list[str]]) -> dict[str, str]:
    title, text = (" ".join(fields.get(name, ())).strip() for name in ("T", "W"))
    return {"id": fields["I"][0], "title": title, "text": text or " ".join(fields.get("B", ()))}
