"""The formats that judgments are exported in, and what each of them can carry."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ExchangeFormat(StrEnum):
    """How an exported file is written."""

    TREC = "trec"
    CSV = "csv"
    JSONL = "jsonl"
    LETOR = "letor"
    QUEPID = "quepid"
    OPENSEARCH = "opensearch"


@dataclass(frozen=True, slots=True)
class FormatTraits:
    """What a format can carry.

    Attributes:
        title: for people.
        suffix: of a file name.
        judges: whether one pair may have a grade of each judge.
        details: whether kind, note, time, seconds and content hash stand beside the grade.
        by_text: queries are named by their text, not by their id.
        spaces: ids may hold white space.
    """

    title: str
    suffix: str
    judges: bool = False
    details: bool = False
    by_text: bool = False
    spaces: bool = True

    @property
    def missing(self) -> str:
        """What the format has no place for, in words; "" when it carries everything."""
        absent = [
            "" if self.judges else "judges",
            "" if self.details else "kinds of judges, notes, times and hashes of the texts",
            "ids of queries" if self.by_text else "",
        ]
        return ", ".join(filter(None, absent))


FORMATS = {
    ExchangeFormat.TREC: FormatTraits("TREC judgments", ".qrels", spaces=False),
    ExchangeFormat.CSV: FormatTraits("CSV", ".csv", judges=True, details=True),
    ExchangeFormat.JSONL: FormatTraits("JSON lines", ".jsonl", judges=True, details=True),
    ExchangeFormat.LETOR: FormatTraits("RankLib or LETOR", ".txt", spaces=False),
    ExchangeFormat.QUEPID: FormatTraits("Quepid's CSV", ".csv", judges=True, by_text=True),
    ExchangeFormat.OPENSEARCH: FormatTraits("OpenSearch judgment list", ".json", by_text=True),
}
"""Format -> its traits."""
