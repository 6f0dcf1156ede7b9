"""What the judges of one session say now, kept up row by row, so that a grade costs no recount.

`sessions` says what everything here means, as pure functions of all rows; a test holds both to each
other. A session of a hundred thousand rows takes half a second to count, and less than a
millisecond to go on with one row more.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from rerank_lab.judging import sessions
from rerank_lab.judging.records import JudgingPair, Judgment, LabelSession, PairOrigin
from rerank_lab.judging.sessions import (
    JudgeProgress,
    PairKey,
    SessionProgress,
    StopReason,
    key_of,
)


class SessionLedger:
    """The rows of one session, counted. One thread at a time may use it."""

    def __init__(self, labels: LabelSession) -> None:
        self.labels = labels
        self.last_row = 0
        self._pairs = {key_of(pair): pair for pair in labels.pairs}
        self._two = labels.judged_by_two
        self._controls = [
            key for key, pair in self._pairs.items() if pair.origin is PairOrigin.CONTROL
        ]
        self._of_query: dict[str, list[JudgingPair]] = defaultdict(list)
        for pair in labels.pairs:
            self._of_query[pair.query_id].append(pair)
        self._place = {query_id: place for place, query_id in enumerate(self._of_query)}
        self._standing: dict[str, dict[PairKey, list[Judgment]]] = {}
        self._judges_of: dict[PairKey, set[str]] = {}
        self._ungraded = len(self._pairs) - len(self._controls)
        self._by_one_of_two = len(self._two)
        self._pairs_judged = 0
        self._first_open: dict[str, int] = {}
        self._progress: dict[str, JudgeProgress] = {}

    def add(self, rows: Iterable[Judgment]) -> None:
        """Count the rows that came since, ascending by row id, undoing ones too; no decisions."""
        for row in rows:
            self.last_row = row.row_id
            key = key_of(row)
            if row.undoes is not None:
                self._take_back(row.judge, key, row.undoes)
                continue
            answers = self._standing.setdefault(row.judge, {})
            earlier = answers.pop(key, None)
            if earlier is None:
                answers[key] = [row]
                self._judged(row.judge, key)
            else:
                earlier.append(row)
                answers[key] = earlier
            self._progress.pop(row.judge, None)

    def _judged(self, judge: str, key: PairKey) -> None:
        judges = self._judges_of.get(key)
        if judges is None:
            self._judges_of[key] = {judge}
        else:
            judges.add(judge)
        self._count(key, before=0 if judges is None else len(judges) - 1, step=-1)

    def _count(self, key: PairKey, before: int, step: int) -> None:
        """Move the numbers of pairs that wait for their first and their second judge."""
        if key not in self._pairs:
            return
        if before == 0:
            self._pairs_judged -= step
        if self._pairs[key].origin is PairOrigin.CONTROL:
            return
        if before == 0:
            self._ungraded += step
        if before == 1 and key in self._two:
            self._by_one_of_two += step

    def _take_back(self, judge: str, key: PairKey, row_id: int) -> None:
        answers = self._standing.get(judge, {})
        rows = [row for row in answers.pop(key, []) if row.row_id != row_id]
        self._progress.pop(judge, None)
        if rows:
            answers[key] = rows
            ordered = sorted(answers.items(), key=lambda item: item[1][-1].row_id)
            self._standing[judge] = dict(ordered)
            return
        judges = self._judges_of.get(key, set())
        if judge in judges:
            judges.remove(judge)
            self._count(key, before=len(judges), step=1)
        place = self._place.get(key[0], 0)
        self._first_open = {name: min(first, place) for name, first in self._first_open.items()}

    @property
    def judges(self) -> tuple[str, ...]:
        """Who has an answer that stands."""
        return tuple(judge for judge, answers in self._standing.items() if answers)

    def answers(self, judge: str) -> Mapping[PairKey, Sequence[Judgment]]:
        """The answers of a judge that stand, by pair; what was answered last is last."""
        return self._standing.get(judge, {})

    def grades(self) -> dict[str, dict[PairKey, int | None]]:
        """By judge and pair the grade that counts; None for "cannot tell"."""
        return {
            judge: {key: rows[-1].grade for key, rows in answers.items()}
            for judge, answers in self._standing.items()
            if answers
        }

    def judgments(self) -> list[Judgment]:
        """The rows that count, ascending by row id."""
        rows = [rows[-1] for answers in self._standing.values() for rows in answers.values()]
        return sorted(rows, key=lambda row: row.row_id)

    def wanted(self, key: PairKey, judges: int) -> int:
        """As `sessions.wanted_judges`."""
        if self._pairs[key].origin is PairOrigin.CONTROL:
            return max(1, judges)
        return 2 if judges != 1 and key in self._two else 1

    def progress(self) -> SessionProgress:
        """How far the session is by the grades that count now."""
        labels = self.labels
        names = dict.fromkeys((*labels.judges, *self.judges))
        by_judge = tuple(self._progress_of(name) for name in names)
        grades = sum(one.grades for one in by_judge)
        active = sum(one.grades > 0 for one in by_judge)
        judges = sessions.judge_count(labels, active)
        total = (
            len(self._pairs)
            - len(self._controls)
            + len(self._controls) * max(1, judges)
            + (len(self._two) if judges != 1 else 0)
        )
        return SessionProgress(
            min(total, labels.budget) if labels.budget else total,
            grades,
            len(labels.pairs),
            self._pairs_judged,
            by_judge,
            self._stop(grades, judges),
        )

    def _stop(self, grades: int, judges: int) -> StopReason:
        if self.labels.budget and grades >= self.labels.budget:
            return StopReason.BUDGET
        short = self._ungraded or (judges != 1 and self._by_one_of_two)
        if short or any(
            len(self._judges_of.get(key, ())) < max(1, judges) for key in self._controls
        ):
            return StopReason.NOT_YET
        return StopReason.ALL_JUDGED

    def _progress_of(self, judge: str) -> JudgeProgress:
        if judge not in self._progress:
            rows = [
                rows[-1]
                for key, rows in self._standing.get(judge, {}).items()
                if key in self._pairs
            ]
            self._progress[judge] = sessions.judge_progress(judge, rows, self._pairs)
        return self._progress[judge]

    def order(self, judge: str, query_id: str = "") -> Iterator[JudgingPair]:
        """The pairs of queries that have some left for a judge, as `sessions.judging_order`.

        Near-duplicates are not put together here.

        Args:
            judge: their name.
            query_id: begin with this query, if the judge has some of it left; "" for the first.
        """
        names = list(self._of_query)
        closed = self._first_open.get(judge, 0)
        start = self._place.get(query_id, 0)
        if not any(self._is_open(judge, pair, {}) for pair in self._of_query.get(query_id, ())):
            start = closed
        for place in (*range(max(start, closed), len(names)), *range(closed, start)):
            pairs = self._of_query[names[place]]
            pairs = [pair for pair in pairs if self._is_open(judge, pair, {})]
            if not pairs and place == self._first_open.get(judge, 0):
                self._first_open[judge] = place + 1
            yield from sessions.shuffled(self.labels, judge, pairs)

    def queue(
        self,
        order: Iterable[JudgingPair],
        judge: str,
        claims: Mapping[PairKey, Collection[str]],
        most: int,
        *,
        skipped: Collection[PairKey] = (),
    ) -> list[JudgingPair]:
        """The first `most` of what is left for a judge, as `sessions.queue_of` has it.

        Args:
            order: all pairs as this judge meets them; it is read no further than needed.
            judge: their name.
            claims: by pair, the judges who have it on their screens now.
            most: how many are looked for.
            skipped: pairs that come again at the end.
        """
        later = set(skipped)
        head: list[JudgingPair] = []
        tail: list[JudgingPair] = []
        for pair in order:
            if self._is_open(judge, pair, claims):
                (tail if key_of(pair) in later else head).append(pair)
            if len(head) == most:
                break
        return (head + tail)[:most]

    def _is_open(
        self, judge: str, pair: JudgingPair, claims: Mapping[PairKey, Collection[str]]
    ) -> bool:
        key = key_of(pair)
        graded = self._judges_of.get(key, ())
        if judge in graded:
            return False
        if pair.origin is PairOrigin.CONTROL:
            return True
        holders = {*graded, *claims.get(key, ())} - {judge}
        return len(holders) < self.wanted(key, 2)

    def left_of_queries(self, judge: str) -> dict[str, int]:
        """By query, how many documents this judge has not graded."""
        graded = Counter(query_id for query_id, _ in self.answers(judge))
        return {
            query_id: len(pairs) - graded[query_id] for query_id, pairs in self._of_query.items()
        }
