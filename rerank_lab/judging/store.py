"""Judgments, sessions, votes and query sets in the lab database. Rows are added, never changed.

What a method returns is on the disk: killing the process afterwards loses nothing of it.
"""

from __future__ import annotations

import hashlib
import threading
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast
from weakref import WeakKeyDictionary

import msgspec
from sqlalchemy import (
    Connection,
    Row,
    Select,
    Table,
    Text,
    delete,
    func,
    insert,
    select,
    type_coerce,
    update,
)

from rerank_lab.core.database import LabDatabase, open_database
from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.text import encodable
from rerank_lab.judging.policies import current_rows
from rerank_lab.judging.records import (
    ArenaSide,
    ArenaVote,
    JudgeKind,
    JudgingPair,
    Judgment,
    LabelSession,
    LabQuery,
    LabQuerySet,
)
from rerank_lab.judging.tables import (
    ARENA_VOTES,
    JUDGE_COMPARISONS,
    JUDGMENT_VERSIONS,
    JUDGMENTS,
    LABEL_SESSIONS,
    PAIR_CLAIMS,
    QUERY_SETS,
)

if TYPE_CHECKING:
    from rerank_lab.judging.llm_judge.trust import JudgeTrust

Record = TypeVar("Record", Judgment, ArenaVote)
_CHUNK = 500
_READ_AT_ONCE = 500
_CORPORA_IN_MEMORY = 4
PairId = tuple[str, str]
"""Query id and document id."""
_KINDS = {kind.value: kind for kind in JudgeKind}


@dataclass(frozen=True)
class _LoadedRows:
    """The rows of a corpus up to a version of it, ascending by row id."""

    version: str = ""
    rows: list[Judgment] = field(default_factory=list)

    @cached_property
    def current(self) -> list[Judgment]:
        """As `current_rows`."""
        return current_rows(self.rows)


class JudgmentStore:
    """The lab database as judging sees it. Threads and processes may use it at once."""

    def __init__(self, database: LabDatabase) -> None:
        self._database = database
        self._loading = threading.Lock()
        self._loaded: dict[str, _LoadedRows] = {}

    @classmethod
    def open(cls, home: Path | None = None) -> JudgmentStore:
        """The store in the lab database of this data folder, or of `RERANK_LAB_DATABASE`.

        Raises:
            InvalidInput, MissingExtra, StorageError: as `open_database` does.
        """
        database = open_database(home)
        return _STORES.setdefault(database, cls(database))

    def append(self, judgments: Sequence[Judgment]) -> list[Judgment]:
        """Store judgments, all or none, and give them back in the same order with their row ids.

        A judgment whose token the corpus has already is not stored again: its first row is given.

        Raises:
            InvalidInput: a row undoes another (use `undo`), has no judge or id, or a time without
                a zone.
            StorageError: the database cannot be reached or written; then nothing was stored.
        """
        if any(row.undoes is not None for row in judgments):
            raise InvalidInput("A row that undoes another was appended.", hint="Use undo().")
        rows = [_storable(row) for row in judgments]
        locks = {f"judgments {row.corpus}" for row in rows}
        with self._database.writing(*locks) as connection:
            return _add_judgments(connection, rows)

    def undo(self, row_id: int, judge: str, at: datetime) -> Judgment:
        """Take back a row of this judge by a new row, which is given; twice is as once.

        Raises:
            InvalidInput: there is no such row, it undoes another, or it is of another judge.
            StorageError: the database cannot be reached or written.
        """
        with self._database.reading() as connection:
            row = _own_row(connection, JUDGMENTS, row_id, judge)
        with self._database.writing(f"judgments {row.corpus}") as connection:
            query = _select(JUDGMENTS).where(JUDGMENTS.c.undoes == row_id)
            earlier = connection.execute(query).first()
            if earlier is not None:
                return _judgment(earlier)
            undoing = _changed(
                _judgment(row), grade=None, at=at, note="", seconds=0.0, undoes=row_id, token=""
            )
            return _add_judgments(connection, [_storable(undoing)])[0]

    def rows(
        self,
        corpus: str,
        *,
        session_id: str | None = None,
        judge: str | None = None,
        query_id: str | None = None,
    ) -> list[Judgment]:
        """Every row of a corpus, undone ones and those that undo too, ascending by row id.

        Args:
            corpus: its name.
            session_id: only of this session; "" for those outside any session.
            judge: only of this judge.
            query_id: only for this query.
        """
        if judge is None and query_id is None:
            rows = self._rows_of(corpus).rows
            return [row for row in rows if session_id is None or row.session_id == session_id]
        query = _select(JUDGMENTS).where(JUDGMENTS.c.corpus == corpus)
        filters = {"session_id": session_id, "judge": judge, "query_id": query_id}
        for column, value in filters.items():
            if value is not None:
                query = query.where(JUDGMENTS.c[column] == value)
        with self._database.reading() as connection:
            selected = connection.execute(query.order_by(JUDGMENTS.c.row_id))
            return [_judgment(row) for row in selected]

    def rows_after(self, corpus: str, row_id: int) -> list[Judgment]:
        """The rows of a corpus that were added after this one, ascending by row id; 0 for all."""
        rows = self._rows_of(corpus).rows
        return rows[bisect_right(rows, row_id, key=lambda row: row.row_id) :]

    def current(
        self,
        corpus: str,
        *,
        session_id: str | None = None,
        judge: str | None = None,
        query_id: str | None = None,
    ) -> list[Judgment]:
        """Of each judge and pair the newest row that is not undone; filters and order as `rows`."""
        if session_id is None and judge is None and query_id is None:
            return list(self._rows_of(corpus).current)
        return current_rows(
            self.rows(corpus, session_id=session_id, judge=judge, query_id=query_id)
        )

    def _rows_of(self, corpus: str) -> _LoadedRows:
        """Every row of a corpus; only those that were added since the last call are read.

        Rows of one corpus are committed in the order of their ids, because `append` holds its lock
        from before it takes them: nothing appears later below the last id that was read.
        """
        with self._loading, self._database.reading() as connection:
            version = _version(connection, corpus)
            loaded = self._loaded.pop(corpus, None) or _LoadedRows()
            if loaded.version != version:
                last = loaded.rows[-1].row_id if loaded.rows else 0
                query = _select_judgments(connection).where(
                    JUDGMENTS.c.corpus == corpus, JUDGMENTS.c.row_id > last
                )
                added = connection.execute(query.order_by(JUDGMENTS.c.row_id))
                rows = [*loaded.rows, *map(_judgment, added.yield_per(_READ_AT_ONCE))]
                loaded = _LoadedRows(version, rows)
            self._loaded[corpus] = loaded
            while len(self._loaded) > _CORPORA_IN_MEMORY:
                del self._loaded[next(iter(self._loaded))]
            return loaded

    def version(self, corpus: str) -> str:
        """A hash of every judgment of the corpus in its order; "" while there is none.

        It changes with each row that is added, and two databases with the same rows agree on it.
        """
        with self._database.reading() as connection:
            return _version(connection, corpus)

    def save_session(self, session: LabelSession) -> None:
        """Store a session. One that nobody has judged in yet is replaced.

        Raises:
            InvalidInput: another session has this id and judgments.
        """
        content = msgspec.json.encode(session).decode()
        where = LABEL_SESSIONS.c.session_id == session.session_id
        with self._database.writing(f"session {session.session_id}") as connection:
            earlier = connection.scalar(select(LABEL_SESSIONS.c.content).where(where))
            if earlier == content:
                return
            judged = JUDGMENTS.c.session_id == session.session_id
            if earlier is not None and connection.scalar(select(JUDGMENTS.c.row_id).where(judged)):
                raise InvalidInput(
                    f"The session {session.title!r} has begun and cannot be changed.",
                    hint="Set up a new session.",
                )
            _put(
                connection,
                LABEL_SESSIONS,
                {"session_id": session.session_id},
                corpus=session.corpus,
                created_at=_in_utc(session.created_at),
                content=content,
            )

    def session(self, session_id: str) -> LabelSession:
        """One session.

        Raises:
            InvalidInput: there is none with this id.
        """
        query = select(LABEL_SESSIONS.c.content).where(LABEL_SESSIONS.c.session_id == session_id)
        with self._database.reading() as connection:
            content = connection.scalar(query)
        if content is None:
            raise InvalidInput(
                f"There is no labelling session {session_id!r} in the lab database.",
                hint="Check the id. The Label page of the app lists all sessions: rerank-lab app",
            )
        return msgspec.json.decode(content, type=LabelSession)

    def sessions(self, corpus: str | None = None) -> list[LabelSession]:
        """The sessions of a corpus, or all of them; the newest first."""
        query = select(LABEL_SESSIONS.c.content)
        if corpus is not None:
            query = query.where(LABEL_SESSIONS.c.corpus == corpus)
        query = query.order_by(LABEL_SESSIONS.c.created_at.desc(), LABEL_SESSIONS.c.session_id)
        with self._database.reading() as connection:
            contents = connection.scalars(query).all()
        return [msgspec.json.decode(content, type=LabelSession) for content in contents]

    def claim_many(
        self,
        session: LabelSession,
        judge: str,
        pairs: Sequence[tuple[JudgingPair, int]],
        lease_s: float,
    ) -> list[JudgingPair]:
        """Take pairs for a judge; those that the judge holds already are held longer.

        Args:
            session: whose pairs they are.
            judge: who is to grade the pairs.
            pairs: each with the number of judges who may grade it in the session.
            lease_s: after so many seconds they are free for others, should nothing be heard.

        Returns:
            The pairs that the judge now holds. The others are held, or graded, by as many judges
            as may grade them.
        """
        if not pairs:
            return []
        now = datetime.now(UTC)
        until = now + timedelta(seconds=lease_s)
        session_id = session.session_id
        with self._database.writing_soon(f"session {session_id}") as connection:
            in_session = PAIR_CLAIMS.c.session_id == session_id
            connection.execute(delete(PAIR_CLAIMS).where(in_session, PAIR_CLAIMS.c.until <= now))
            ends = _claim_ends(connection, session_id)
            taken: defaultdict[PairId, set[str]] = defaultdict(set)
            for key, judges in ends.items():
                taken[key] |= judges.keys()
            for row in _graded_in(connection, session, {pair.query_id for pair, _ in pairs}):
                taken[row.query_id, row.doc_id].add(row.judge)
            keys = [
                (pair.query_id, pair.doc_id)
                for pair, judges in pairs
                if len(taken[pair.query_id, pair.doc_id] - {judge}) < judges
            ]
            new = [key for key in keys if judge not in ends.get(key, {})]
            soon = now + timedelta(seconds=lease_s / 2)
            short = [key for key in keys if key not in new and ends[key][judge] < soon]
            _hold_pairs(connection, session_id, judge, new, short, until)
        granted = set(keys)
        return [pair for pair, _ in pairs if (pair.query_id, pair.doc_id) in granted]

    def claims(self, session_id: str) -> dict[PairId, frozenset[str]]:
        """Who holds what now: (query id, document id) -> judges."""
        with self._database.reading() as connection:
            ends = _claim_ends(connection, session_id)
        return {pair: frozenset(judges) for pair, judges in ends.items()}

    def add_votes(self, votes: Sequence[ArenaVote]) -> list[ArenaVote]:
        """Store arena votes, all or none, and give them back with their row ids.

        Tokens as in `append`.

        Raises:
            InvalidInput: a vote undoes another (use `undo_vote`), or lacks a name or a time zone.
            StorageError: the database cannot be reached or written; then nothing was stored.
        """
        if any(vote.undoes is not None for vote in votes):
            raise InvalidInput("A vote that undoes another was added.", hint="Use undo_vote().")
        storable = [_storable(vote) for vote in votes]
        with self._database.writing(*{f"votes {vote.corpus}" for vote in votes}) as connection:
            return _add_votes(connection, storable)

    def undo_vote(self, row_id: int, judge: str, at: datetime) -> ArenaVote:
        """Take back a vote of this judge, as `undo` takes back a judgment."""
        with self._database.reading() as connection:
            vote = _vote(_own_row(connection, ARENA_VOTES, row_id, judge))
        with self._database.writing(f"votes {vote.corpus}") as connection:
            query = _select(ARENA_VOTES).where(ARENA_VOTES.c.undoes == row_id)
            earlier = connection.execute(query).first()
            if earlier is not None:
                return _vote(earlier)
            undoing = _storable(replace(vote, at=at, seconds=0.0, undoes=row_id, token=""))
            return _add_votes(connection, [undoing])[0]

    def votes(self, corpus: str) -> list[ArenaVote]:
        """Every vote of a corpus, undone ones and those that undo too, ascending by row id."""
        query = _select(ARENA_VOTES).where(ARENA_VOTES.c.corpus == corpus)
        with self._database.reading() as connection:
            return [_vote(row) for row in connection.execute(query.order_by(ARENA_VOTES.c.row_id))]

    def save_query_set(self, query_set: LabQuerySet) -> None:
        """Store a query set in the place of the one with its name."""
        with self._database.writing(f"queries {query_set.corpus}") as connection:
            _put_query_set(connection, query_set)

    def add_query(self, corpus: str, name: str, query: LabQuery, at: datetime) -> None:
        """Add a query to the set of this name, unless a set of the corpus has its id already."""
        with self._database.writing(f"queries {corpus}") as connection:
            query_sets = {one.name: one for one in _query_sets(connection, corpus)}
            if any(
                query.query_id == known.query_id
                for one in query_sets.values()
                for known in one.queries
            ):
                return
            earlier = query_sets[name].queries if name in query_sets else ()
            _put_query_set(connection, LabQuerySet(corpus, name, (*earlier, query), at))

    def query_sets(self, corpus: str) -> list[LabQuerySet]:
        """The query sets that were built for a corpus, by name."""
        with self._database.reading() as connection:
            return _query_sets(connection, corpus)

    def save_comparison(self, comparison: JudgeTrust) -> None:
        """Store the comparison of an LLM judge with people, in the place of its earlier one."""
        with self._database.writing(f"judge {comparison.judge}") as connection:
            _put(
                connection,
                JUDGE_COMPARISONS,
                {"corpus": comparison.corpus, "judge": comparison.judge},
                compared_at=_in_utc(comparison.compared_at),
                content=msgspec.json.encode(comparison).decode(),
            )

    def compared_at(self, corpus: str) -> str:
        """When an LLM judge of a corpus was last compared with people; "" for never."""
        table = JUDGE_COMPARISONS
        query = select(func.max(table.c.compared_at)).where(table.c.corpus == corpus)
        with self._database.reading() as connection:
            newest = connection.scalar(query)
        return "" if newest is None else str(newest)

    def comparisons(self, corpus: str) -> list[JudgeTrust]:
        """How the LLM judges of a corpus compare with people, the newest comparison first."""
        from rerank_lab.judging.llm_judge.trust import JudgeTrust

        table = JUDGE_COMPARISONS
        query = select(table.c.content).where(table.c.corpus == corpus)
        with self._database.reading() as connection:
            contents = connection.scalars(query.order_by(table.c.compared_at.desc())).all()
        return [msgspec.json.decode(content, type=JudgeTrust) for content in contents]


_STORES: WeakKeyDictionary[LabDatabase, JudgmentStore] = WeakKeyDictionary()


def _put(connection: Connection, table: Table, key: Mapping[str, str], **values: object) -> None:
    """Write a row in the place of the one with this key."""
    connection.execute(delete(table).where(*(table.c[name] == key[name] for name in key)))
    connection.execute(insert(table).values({**key, **values}))


def _put_query_set(connection: Connection, query_set: LabQuerySet) -> None:
    _put(
        connection,
        QUERY_SETS,
        {"corpus": query_set.corpus, "name": query_set.name},
        created_at=_in_utc(query_set.created_at),
        content=msgspec.json.encode(query_set).decode(),
    )


def _query_sets(connection: Connection, corpus: str) -> list[LabQuerySet]:
    query = select(QUERY_SETS.c.content).where(QUERY_SETS.c.corpus == corpus)
    contents = connection.scalars(query.order_by(QUERY_SETS.c.name))
    return [msgspec.json.decode(content, type=LabQuerySet) for content in contents]


def _add_judgments(connection: Connection, rows: Sequence[Judgment]) -> list[Judgment]:
    """Insert the rows that are new, and move the version of their corpora on."""
    by_token = {key: _judgment(row) for key, row in _rows_by_token(connection, JUDGMENTS, rows)}
    stored, new = _insert(connection, JUDGMENTS, rows, by_token)
    by_corpus: dict[str, list[Judgment]] = defaultdict(list)
    for row in new:
        by_corpus[row.corpus].append(row)
    for corpus, added in by_corpus.items():
        before = _version(connection, corpus)
        digest = hashlib.sha256(before.encode())
        digest.update(msgspec.json.encode(added))
        values = {"corpus": corpus, "version": digest.hexdigest()}
        if before:
            where = JUDGMENT_VERSIONS.c.corpus == corpus
            connection.execute(update(JUDGMENT_VERSIONS).where(where).values(values))
        else:
            connection.execute(insert(JUDGMENT_VERSIONS).values(values))
    return stored


def _version(connection: Connection, corpus: str) -> str:
    query = select(JUDGMENT_VERSIONS.c.version).where(JUDGMENT_VERSIONS.c.corpus == corpus)
    return connection.scalar(query) or ""


def _add_votes(connection: Connection, votes: Sequence[ArenaVote]) -> list[ArenaVote]:
    by_token = {key: _vote(row) for key, row in _rows_by_token(connection, ARENA_VOTES, votes)}
    return _insert(connection, ARENA_VOTES, votes, by_token)[0]


def _insert(
    connection: Connection,
    table: Table,
    records: Sequence[Record],
    by_token: dict[tuple[str, str], Record],
) -> tuple[list[Record], list[Record]]:
    """Insert what has no token, or one that its corpus does not know.

    Args:
        connection: in a transaction that nobody else adds to these corpora in.
        table: of these records.
        records: to be stored, without row ids.
        by_token: what is stored already: (corpus, token) -> record; what is new is added.

    Returns:
        For each record the one that is stored for it, and those that are new.
    """
    ids = iter(_new_ids(connection, table, len(records)))
    stored, new = [], []
    for record in records:
        key = (record.corpus, record.token)
        known = by_token.get(key) if record.token else None
        if known is None:
            known = _changed(record, row_id=next(ids))
            new.append(known)
            if record.token:
                by_token[key] = known
        stored.append(known)
    if new:
        names = _field_names(new[0])
        values = [{name: getattr(record, name) for name in names} for record in new]
        connection.execute(insert(table), values)
    return stored, new


def _new_ids(connection: Connection, table: Table, count: int) -> Sequence[int]:
    """Ascending row ids that no other row has or gets."""
    if connection.dialect.name == "sqlite":
        last = connection.scalar(select(func.max(table.c.row_id))) or 0
        return range(last + 1, last + count + 1)
    sequence = func.nextval(func.pg_get_serial_sequence(table.name, "row_id"))
    return connection.scalars(select(sequence).select_from(func.generate_series(1, count))).all()


def _rows_by_token(
    connection: Connection, table: Table, records: Sequence[Judgment] | Sequence[ArenaVote]
) -> Iterator[tuple[tuple[str, str], Row[Any]]]:
    """What is stored with the tokens of these records: (corpus, token) and the row."""
    tokens = defaultdict(list)
    for record in records:
        if record.token:
            tokens[record.corpus].append(record.token)
    for corpus, names in tokens.items():
        for start in range(0, len(names), _CHUNK):
            query = _select(table).where(
                table.c.corpus == corpus, table.c.token.in_(names[start : start + _CHUNK])
            )
            for row in connection.execute(query):
                yield (corpus, row.token), row


def _own_row(connection: Connection, table: Table, row_id: int, judge: str) -> Row[Any]:
    row = connection.execute(_select(table).where(table.c.row_id == row_id)).first()
    if row is None or row.undoes is not None:
        raise InvalidInput(
            f"There is no row {row_id} that could be taken back.",
            hint="Look again at what is stored, then repeat what is missing.",
        )
    if row.judge != judge:
        raise InvalidInput(
            f"Row {row_id} is of {row.judge!r}, not of {judge!r}.",
            hint="Each judge takes back their own rows only.",
        )
    return row


def _storable(record: Record) -> Record:
    """The record as every database keeps it.

    Raises:
        InvalidInput: a name or an id is empty or holds a zero character, or the time has no zone.
    """
    changes: dict[str, Any] = {"at": _in_utc(record.at), "row_id": 0}
    for name in _field_names(record):
        value = getattr(record, name)
        if not isinstance(value, str):
            continue
        if name == "note":
            changes[name] = encodable(value).replace("\x00", "")
        elif "\x00" in value or encodable(value) != value:
            raise InvalidInput(
                f"{value[:80]!r} ({name}) holds characters that no database keeps.",
                hint="Remove them from the ids of the corpus, or from the name.",
            )
    for name in ("corpus", "query_id", "judge"):
        if not getattr(record, name):
            raise InvalidInput(f"A row to be stored has no {name}.", hint="Give it one.")
    return _changed(record, **changes)


def _changed(record: Record, **changes: Any) -> Record:
    if isinstance(record, Judgment):
        return msgspec.structs.replace(record, **changes)
    return replace(record, **changes)


def _in_utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise InvalidInput("A time without a time zone was to be stored.", hint="Give it in UTC.")
    return moment.astimezone(UTC)


def _field_names(record: Judgment | ArenaVote) -> list[str]:
    return [
        column.name for column in (JUDGMENTS if isinstance(record, Judgment) else ARENA_VOTES).c
    ]


def _select(table: Table) -> Select[Any]:
    return select(*table.c)


def _select_judgments(connection: Connection) -> Select[Any]:
    """All columns; of SQLite the time as it is written, which `_judgment` reads sooner."""
    if connection.dialect.name != "sqlite":
        return _select(JUDGMENTS)
    return select(
        *(type_coerce(one, Text()) if one is JUDGMENTS.c.at else one for one in JUDGMENTS.c)
    )


def _claim_ends(connection: Connection, session_id: str) -> dict[PairId, dict[str, datetime]]:
    """Who holds what, and until when, without the claims that have lapsed."""
    query = select(*PAIR_CLAIMS.c).where(
        PAIR_CLAIMS.c.session_id == session_id, PAIR_CLAIMS.c.until > datetime.now(UTC)
    )
    ends: dict[PairId, dict[str, datetime]] = {}
    for row in connection.execute(query):
        ends.setdefault((row.query_id, row.doc_id), {})[row.judge] = _from_utc(row.until)
    return ends


def _hold_pairs(
    connection: Connection,
    session_id: str,
    judge: str,
    new: Sequence[PairId],
    longer: Sequence[PairId],
    until: datetime,
) -> None:
    """Write claims that are new, and move the end of those that are held already."""
    if new:
        own = {"session_id": session_id, "judge": judge, "until": until}
        values = [{"query_id": query_id, "doc_id": doc_id} | own for query_id, doc_id in new]
        connection.execute(insert(PAIR_CLAIMS), values)
    claim = PAIR_CLAIMS.c
    mine = (claim.session_id == session_id, claim.judge == judge)
    for query_id, doc_id in longer:
        of_pair = (claim.query_id == query_id, claim.doc_id == doc_id)
        connection.execute(update(PAIR_CLAIMS).where(*mine, *of_pair).values(until=until))


def _graded_in(
    connection: Connection, session: LabelSession, query_ids: Set[str]
) -> Sequence[Judgment]:
    """The current rows of a session for these queries."""
    query = _select(JUDGMENTS).where(
        JUDGMENTS.c.corpus == session.corpus, JUDGMENTS.c.session_id == session.session_id
    )
    if len(query_ids) <= _CHUNK:
        query = query.where(JUDGMENTS.c.query_id.in_(sorted(query_ids)))
    return current_rows(_judgment(row) for row in connection.execute(query))


def _judgment(row: Row[Any]) -> Judgment:
    """The judgment of a row, whose columns stand in the order of its fields."""
    # fmt: off
    (corpus, query_id, doc_id, grade, judge, kind, at, note, seconds, content_hash, passage_id,
     position, session_id, undoes, row_id, token) = cast(Sequence[Any], row)
    return Judgment(
        corpus, query_id, doc_id, grade, judge, _KINDS[kind], _from_utc(at), note, seconds,
        content_hash, passage_id, position, session_id, undoes, row_id, token,
    )
    # fmt: on


def _vote(row: Row[Any]) -> ArenaVote:
    """The vote of a row, whose columns stand in the order of its fields."""
    corpus, query_id, left, right, outcome, judge, kind, at, *rest = cast(Sequence[Any], row)
    side = ArenaSide(outcome)
    return ArenaVote(corpus, query_id, left, right, side, judge, _KINDS[kind], _from_utc(at), *rest)


def _from_utc(moment: datetime | str) -> datetime:
    if isinstance(moment, str):
        return datetime.fromisoformat(moment + "+00:00")
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
