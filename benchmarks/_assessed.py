"""What two assessors of the samples gave, as kept in `assessed/`, and how far they agree."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rerank_lab.corpora import load_corpus


def kept_grades(name: str) -> list[dict[str, str]]:
    """Rows of query-id, corpus-id, first, second."""
    with (Path(__file__).parent / "assessed" / f"{name}.tsv").open(encoding="utf-8") as lines:
        return list(csv.DictReader(lines, delimiter="\t"))


def cohen_kappa(first: Sequence[int], second: Sequence[int]) -> float:
    """Agreement beyond chance of two assessors (Cohen, 1960), unweighted; 1 when all is equal."""
    total = len(first)
    observed = sum(a == b for a, b in zip(first, second, strict=True)) / total
    ours, theirs = Counter(first), Counter(second)
    expected = sum(ours[grade] * theirs[grade] for grade in ours) / total**2
    return 1.0 if expected == 1 else (observed - expected) / (1 - expected)


def agreement(name: str) -> dict[str, Any]:
    """Figures of one sample; `changed` counts drawn pairs whose grade is another one today."""
    qrels, rows = load_corpus(name).qrels, kept_grades(name)
    first = [int(row["first"]) for row in rows]
    second = [int(row["second"]) for row in rows]
    now = [qrels[row["query-id"]][row["corpus-id"]] for row in rows]
    same = sum(a == b for a, b in zip(first, second, strict=True))
    return {
        "pairs": len(rows),
        "equal": same,
        "raw": same / len(rows),
        "kappa": cohen_kappa(first, second),
        "kappa of relevant or not": cohen_kappa([g > 0 for g in first], [g > 0 for g in second]),
        "changed": sum(a != b for a, b in zip(first, now, strict=True)),
    }
