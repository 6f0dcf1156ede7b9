"""PostgreSQL as first stage: full text, pgvector, or both fused; or a SELECT of the user's own."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from contextlib import suppress
from queue import Empty, LifoQueue
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from rerank_lab.components.base import Param
from rerank_lab.core.errors import BackendError, InvalidInput, LabError
from rerank_lab.core.types import Document
from rerank_lab.retrievers.base import DEPTH
from rerank_lab.retrievers.engines.base import (
    ENGINE_SCALE,
    TEMPLATE_HELP,
    TIMEOUT,
    EngineHit,
    EngineQuery,
    EngineResponse,
    EngineRetriever,
    address_param,
    as_text,
    certificate_hint,
    engine_info,
    environment,
    field_params,
    package,
    tls_params,
    vector_params,
)
from rerank_lab.retrievers.engines.templates import SEARCHED_BY, numbered, sql_statement

if TYPE_CHECKING:
    from psycopg import Connection

WORDS, VECTOR, HYBRID = "words", "vector", "hybrid"
_METRICS = {
    "cosine": ("<=>", "1 - ({distance})"),
    "l2": ("<->", "-({distance})"),
    "ip": ("<#>", "-({distance})"),
}
"""pgvector's operators, and a score that falls as the distance grows."""
_SCALES = {"cosine": "cosine", "l2": "negative distance", "ip": "inner product"}
_NAMES = ("query", "k", "vector")
_CONFIGURATION = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")
_FUSION_K = 60
_CONNECTION_LOST = ("08", "57P")
"""Classes of errors after which another connection may do."""
_IDLE = 8
"""Connections that are kept open between searches."""


class Postgres(EngineRetriever):
    """Searches a table of a PostgreSQL database, read only.

    Full text is PostgreSQL's own (`ts_rank`), embeddings are pgvector's, and `hybrid` fuses both by
    reciprocal rank (Cormack, Clarke and Büttcher 2009, k = 60).
    """

    title = "PostgreSQL"
    info = engine_info(
        name="postgres",
        summary="Searches a table of your PostgreSQL: full text, pgvector, or both.",
        params=(
            DEPTH,
            address_param("dsn_env", "RERANK_LAB_ENGINE_DSN", "postgresql://user:password@host/db"),
            Param("table", "", "The table or view, as schema.table or table.", label="Table"),
            *field_params(),
            Param(
                "search",
                WORDS,
                "words is full text, vector is pgvector, hybrid fuses both by rank.",
                choices=(WORDS, VECTOR, HYBRID),
                label="Search by",
            ),
            Param(
                "match",
                "any",
                "Full text: any word of the query, all of them, or web syntax: quotes and minus.",
                choices=("any", "all", "web"),
                label="Words to match",
            ),
            Param(
                "language",
                "english",
                "The text search configuration, such as english, german or simple.",
                label="Text search configuration",
            ),
            Param(
                "tsvector",
                "",
                "The column with prepared words; without one they are made for each query.",
                label="Words column",
            ),
            *vector_params(),
            Param(
                "metric",
                "cosine",
                "How embeddings are compared; as the index of the column has it.",
                choices=tuple(_METRICS),
                label="Metric",
            ),
            Param("filter", "", "A condition in SQL, such as status = 'public'.", label="Filter"),
            Param("template", "", TEMPLATE_HELP, label="Own SELECT"),
            *tls_params(),
            TIMEOUT,
        ),
    )

    def __init__(self, **options: str | float | bool) -> None:
        super().__init__(**options)
        self._idle: LifoQueue[Connection[Any]] = LifoQueue()

    @property
    def _dsn(self) -> str:
        return environment(self.option("dsn_env"), "the address of the database")

    @property
    def place(self) -> str:
        """Host, database, table, fields, filter, and the user's own SELECT."""
        parts = self._address()
        where = f"{parts.get('host', '')}:{parts.get('port', '')}/{parts.get('dbname', '')}"
        fields = " ".join(self.option(name) for name in ("id", "title", "text"))
        own = " ".join(self.option(name) for name in ("filter", "template"))
        return f"postgres {where} {self.option('table')} {fields} {own}"

    def _address(self) -> dict[str, Any]:
        package("psycopg", "postgres", "PostgreSQL")
        import psycopg
        from psycopg.conninfo import conninfo_to_dict

        try:
            return dict(conninfo_to_dict(self._dsn))
        except psycopg.Error:
            raise InvalidInput(
                f"The address in {self.option('dsn_env')} cannot be read.",
                hint="It looks like postgresql://user:password@host:5432/database.",
            ) from None

    @property
    def _secrets(self) -> Sequence[str]:
        try:
            dsn = self._dsn
        except LabError:
            return ()
        passwords = [password for password in [_password(dsn)] if password]
        return (dsn, *passwords, *map(unquote, passwords))

    @property
    def uses_vector(self) -> bool:
        """By embeddings, alone or fused, or because the template asks for one."""
        if self.option("template"):
            return "{vector}" in self.option("template")
        return self.option("search") in (VECTOR, HYBRID)

    @property
    def scale(self) -> str:
        """By what is searched: ts_rank, the metric, or rrf."""
        if self.option("template"):
            return ENGINE_SCALE
        by_search = {WORDS: "ts_rank", HYBRID: "rrf"}
        return by_search.get(self.option("search"), _SCALES[self.option("metric")])

    def _check_options(self) -> None:
        super()._check_options()
        problems = []
        if not self.option("table"):
            problems.append("no table is named")
        if self.uses_vector and not self.option("template") and not self.option("vector"):
            problems.append("no vector column is named")
        if not _CONFIGURATION.fullmatch(self.option("language")):
            problems.append(f"{self.option('language')!r} is no text search configuration")
        if problems:
            raise InvalidInput(
                f"postgres: {'; '.join(problems)}.",
                hint='Such as postgres(table="articles",title="title",text="body").',
                problems=problems,
            )

    def template_text(self) -> str:
        """The SELECT with `{query}`, `{k}` and `{vector}`: the user's own, or the usual one."""
        self._check_options()
        return self.statement()

    def statement(self) -> str:
        """As `template_text`, whatever the other options are."""
        own = self.option("template")
        if own:
            return own
        search = self.option("search")
        if search == HYBRID:
            return self._hybrid()
        return self._words() if search == WORDS else self._near()

    def _columns(self) -> str:
        title = _name(self.option("title")) if self.option("title") else "''"
        return f"d.{_name(self.option('id'))} AS id, {title} AS title, {_name(self.option('text'))}"

    def _where(self, condition: str) -> str:
        own = self.option("filter")
        return f"WHERE {condition}" + (f" AND ({own})" if own else "")

    def _words(self) -> str:
        configuration = f"'{self.option('language')}'::regconfig"
        parts = [self.option(name) for name in ("title", "text") if self.option(name)]
        content = " || ' ' || ".join(f"coalesce({_name(part)}::text, '')" for part in parts)
        words = f"to_tsvector({configuration}, {content})"
        if self.option("tsvector"):
            words = f"d.{_name(self.option('tsvector'))}"
        query = {
            "web": f"websearch_to_tsquery({configuration}, {{query}})",
            "all": f"plainto_tsquery({configuration}, {{query}})",
            "any": _ANY.format(configuration=configuration),
        }[self.option("match")]
        return (
            f"SELECT {self._columns()} AS text, ts_rank({words}, wanted) AS score\n"
            f"FROM {_table(self.option('table'))} d, (SELECT {query} AS wanted) q\n"
            f"{self._where(f'{words} @@ wanted')}\n"
            "ORDER BY score DESC, id LIMIT {k}"
        )

    def _near(self) -> str:
        operator, score = _METRICS[self.option("metric")]
        vector = f"d.{_name(self.option('vector'))}"
        distance = f"{vector} {operator} {{vector}}::vector"
        nearest = (
            f"SELECT {self._columns()} AS text, {score.format(distance=distance)} AS score\n"
            f"FROM {_table(self.option('table'))} d\n"
            f"{self._where(f'{vector} IS NOT NULL')}\n"
            f"ORDER BY {distance} LIMIT {{k}}"
        )
        return f"SELECT * FROM (\n{nearest}\n) n ORDER BY score DESC, id"

    def _hybrid(self) -> str:
        ranked = "SELECT id, row_number() OVER (ORDER BY score DESC, id) AS place FROM"
        return (
            f"WITH words AS ({ranked} (\n{self._words()}\n) w),\n"
            f"near AS ({ranked} (\n{self._near()}\n) v),\n"
            f"fused AS (SELECT id, sum(1.0 / ({_FUSION_K} + place)) AS score\n"
            "  FROM (SELECT * FROM words UNION ALL SELECT * FROM near) b\n"
            "  GROUP BY id ORDER BY score DESC, id LIMIT {k})\n"
            f"SELECT {self._columns()} AS text, f.score\n"
            f"FROM fused f JOIN {_table(self.option('table'))} d "
            f"ON d.{_name(self.option('id'))} = f.id\n"
            "ORDER BY f.score DESC, id"
        )

    def request_text(self, query: EngineQuery) -> str:
        """The SELECT, and the values that are bound to its parameters."""
        statement = self.statement()
        sql_statement(statement, _NAMES)
        values = [f"query = {query.text!r}", f"k = {query.k}"]
        if query.vector:
            values.append(f"vector = an embedding of {len(query.vector)} numbers")
        return f"{statement}\n-- bound, never part of the text: " + ", ".join(values)

    def _ask(self, query: EngineQuery) -> EngineResponse:
        values = {
            "query": query.text.replace("\x00", " "),
            "k": query.k,
            "vector": "[" + ",".join(map(repr, query.vector)) + "]",
        }
        rows = self._rows(self.statement(), values, _NAMES, wide=max(query.k, 40))
        return EngineResponse(tuple(_hit(row) for row in rows))

    def _fetch(self, doc_ids: Sequence[str]) -> list[Document]:
        import psycopg

        key = f"d.{_name(self.option('id'))}"
        values = {"ids": [doc_id for doc_id in doc_ids if "\x00" not in doc_id]}
        # Compared in the column's own type, so that its index serves; ids of judgments that are
        # none of that type can only be compared as texts.
        try:
            rows = self._rows(self._documents(f"{key} = ANY({{ids}})"), values, ("ids",))
        except psycopg.errors.DataError:
            as_texts = f"{key}::text = ANY({{ids}}::text[])"
            rows = self._rows(self._documents(as_texts), values, ("ids",))
        return [_document(row) for row in rows]

    def _count(self) -> int | None:
        table = _table(self.option("table"))
        rows = self._rows(f"SELECT count(*) AS n FROM {table} d {self._where('true')}", {}, ())
        return int(rows[0]["n"])

    def _sample(self, size: int) -> list[Document]:
        rows = self._rows(self._documents("true") + " LIMIT {size}", {"size": size}, ("size",))
        return [_document(row) for row in rows]

    def _documents(self, condition: str) -> str:
        table = _table(self.option("table"))
        return f"SELECT {self._columns()} AS text FROM {table} d {self._where(condition)}"

    def _rows(
        self, template: str, values: dict[str, Any], names: tuple[str, ...], wide: int = 0
    ) -> list[dict[str, Any]]:
        """The rows of one statement, in a read-only transaction of its own, by column name.

        A connection that was kept and is broken meanwhile is replaced by a new one.
        """
        import psycopg

        statement = sql_statement(template, names, SEARCHED_BY if wide else frozenset())
        connection = self._idle_connection()
        if connection is not None:
            try:
                return self._run(connection, statement, values, wide)
            except psycopg.OperationalError as error:
                if error.sqlstate and not error.sqlstate.startswith(_CONNECTION_LOST):
                    raise
        return self._run(self._connect(), statement, values, wide)

    def _run(
        self, connection: Connection[Any], statement: str, values: dict[str, Any], wide: int
    ) -> list[dict[str, Any]]:
        try:
            with connection.transaction():
                if wide and self.uses_vector:
                    # As many neighbours as are wanted; without pgvector it is just a name.
                    connection.execute(f"SET LOCAL hnsw.ef_search = {min(wide, 1000)}".encode())
                cursor = connection.execute(statement.encode(), values or None)
                columns = [column.name.lower() for column in cursor.description or ()]
                if wide:
                    _check_columns(columns)
                rows = [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
        except BaseException:
            with suppress(Exception):
                connection.close()
            raise
        if self._idle.qsize() < _IDLE:
            self._idle.put(connection)
        else:
            connection.close()
        return rows

    def _idle_connection(self) -> Connection[Any] | None:
        try:
            return self._idle.get_nowait()
        except Empty:
            return None

    def _connect(self) -> Connection[Any]:
        package("psycopg", "postgres", "PostgreSQL")
        import psycopg

        milliseconds = math.ceil(self.timeout_s * 1000)
        connection = psycopg.connect(
            self._dsn,
            connect_timeout=max(2, math.ceil(self.timeout_s)),
            tcp_user_timeout=milliseconds,
            application_name="rerank-lab",
            prepare_threshold=None,
            **self._tls,
        )
        connection.read_only = True
        connection.execute("SELECT set_config('statement_timeout', %s, false)", [str(milliseconds)])
        connection.commit()
        return connection

    @property
    def _tls(self) -> dict[str, Any]:
        """Where an authority is named, its certificate and the name of the host must hold."""
        authority, certificate = self._authority, self._certificate
        files = {"sslrootcert": authority, "sslmode": "verify-full"} if authority else {}
        return files | ({"sslcert": certificate, "sslkey": certificate} if certificate else {})

    def close(self) -> None:
        """Close the connections that are kept."""
        super().close()
        while True:
            try:
                self._idle.get_nowait().close()
            except Empty:
                return

    def _failure(self, error: Exception) -> LabError:
        import psycopg

        if isinstance(error, psycopg.OperationalError) and not error.sqlstate:
            others_read = "group or world access" in str(error)
            return BackendError(
                f"PostgreSQL cannot be reached: {_first_line(error)}",
                hint=(_OWN_KEY if others_read else certificate_hint(str(error)))
                or f"Check the address in {self.option('dsn_env')}, and that the server runs.",
                retryable=True,
            )
        if not isinstance(error, psycopg.Error):
            return self.unexpected(error)
        words = error.diag.message_primary or _first_line(error)
        place = error.diag.statement_position
        details = "\n".join(
            line for line in (error.diag.message_detail, error.diag.context) if line
        )
        hint = error.diag.message_hint or _HINTS.get(error.sqlstate or "", "")
        near = f", at {self._words_at(place)!r}" if place else ""
        return InvalidInput(
            f"PostgreSQL says: {words}{near}.",
            hint=hint or "Correct the options or the template, and try it on one query.",
            details=details,
        )

    def _words_at(self, position: str) -> str:
        """The part of the search that PostgreSQL points at."""
        sent = numbered(sql_statement(self.statement(), _NAMES))
        start = max(0, int(position) - 1)
        return " ".join(sent[start : start + 40].split())


_OWN_KEY = "Let nobody else read the file that cert_env names: chmod 600."
_ANY = (
    "(SELECT string_agg('''' || replace(replace(lexeme, '\\', '\\\\'), '''', '''''') || '''', "
    "' | ') FROM unnest(tsvector_to_array(to_tsvector({configuration}, {{query}}))) lexeme)"
    "::tsquery"
)
"""Any of the query's words. The words come out of PostgreSQL's parser and are quoted again."""
_HINTS = {
    "42P01": "Check the table; a name with capitals counts as written.",
    "42703": "Check the names of the columns: id, title, text, and those of the template.",
    "42501": "Let the user of the address read this table: GRANT SELECT ON ... TO ....",
    "25006": "A template may only read.",
    "57014": "The search took too long: add an index, or allow more: timeout=60.",
    "28P01": "Check user and password in the address.",
    "42883": "Is the extension pgvector installed in this database? CREATE EXTENSION vector.",
    "42704": "Check the text search configuration, and that pgvector is installed: "
    "CREATE EXTENSION vector.",
    "22000": "The embeddings of the column and of the model have different lengths: name the model "
    "that embedded the documents.",
}


def _name(name: str) -> str:
    """A column's name, quoted, so that nothing but a name can stand there."""
    return '"' + name.replace('"', '""').replace("{", "{{").replace("}", "}}") + '"'


def _table(name: str) -> str:
    return ".".join(_name(part) for part in name.split("."))


def _check_columns(columns: Sequence[str]) -> None:
    missing = [name for name in ("id", "text", "score") if name not in columns]
    if missing:
        raise InvalidInput(
            f"The template gives the columns {', '.join(columns)}; "
            f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing.",
            hint="Name them in the SELECT: ... AS id, ... AS text, ... AS score.",
        )


def _document(row: dict[str, Any]) -> Document:
    return Document(as_text(row["id"]), as_text(row["text"]), as_text(row.get("title")))


def _hit(row: dict[str, Any]) -> EngineHit:
    return EngineHit(_document(row), None if row["score"] is None else float(row["score"]))


def _password(dsn: str) -> str:
    from psycopg.conninfo import conninfo_to_dict

    with suppress(Exception):
        return str(conninfo_to_dict(dsn).get("password") or "")
    return ""


def _first_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
