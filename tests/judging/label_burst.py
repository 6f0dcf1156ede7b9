"""A process that stores labels one by one and prints each row id once it is acknowledged."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

from rerank_lab.judging.records import JudgeKind, Judgment
from rerank_lab.judging.store import JudgmentStore


def main(judge: str, count: int) -> None:
    store = JudgmentStore.open()
    for number in range(count):
        judgment = Judgment(
            "corpus", f"q{number}", "d", 1, judge, JudgeKind.HUMAN, datetime.now(UTC)
        )
        row = store.append([judgment])[0]
        sys.stdout.write(f"{row.row_id}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
