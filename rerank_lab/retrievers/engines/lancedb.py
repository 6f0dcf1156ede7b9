"""LanceDB as first stage: tables in a folder or in object storage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rerank_lab.components.base import Param
from rerank_lab.core.errors import InvalidInput, LabError
from rerank_lab.core.types import Document
from rerank_lab.retrievers.engines.base import EngineQuery, engine_info, package
from rerank_lab.retrievers.engines.vector_database import (
    SEARCHES,
    WORDS,
    VectorDatabase,
    database_params,
)


class LanceDB(VectorDatabase):
    """Searches a table of LanceDB, by embeddings or by the full text index of its texts."""

    title = "LanceDB"
    unit = "table"
    info = engine_info(
        name="lancedb",
        summary="Searches a table of your LanceDB, by embeddings or its full text.",
        params=(
            *database_params(
                "RERANK_LAB_ENGINE_LANCEDB",
                "a folder, or s3://bucket/path",
                "table",
                "year > 2020 AND topic = 'sport'",
            ),
            SEARCHES,
            Param(
                "metric",
                "cosine",
                "How embeddings are compared; as the index of the column has it.",
                choices=("cosine", "l2", "dot"),
                label="Metric",
            ),
        ),
    )

    @property
    def _table(self) -> Any:
        """Opened anew for each call, so that what was added since is seen."""
        package("lancedb", "lancedb", "LanceDB")
        import lancedb

        return lancedb.connect(self._address).open_table(self.option("table"))

    def _search_request(self, query: EngineQuery) -> dict[str, Any]:
        request: dict[str, Any] = {"limit": query.k, "where": self.option("filter")}
        if self.option("search") == WORDS:
            return {"match": query.text, "column": self.option("text"), **request}
        column = {"vector_column_name": self.option("vector")} if self.option("vector") else {}
        return {"vector": list(query.vector), "metric": self.option("metric"), **column, **request}

    def _found(self, request: dict[str, Any]) -> list[tuple[Document, float]]:
        if "match" in request:
            from lancedb import query

            match: Any = query.MatchQuery
            search = self._table.search(match(request["match"], request["column"]))
        else:
            search = self._table.search(
                request["vector"], vector_column_name=request.get("vector_column_name")
            ).distance_type(request["metric"])
        if request["where"]:
            search = search.where(request["where"])
        rows = search.limit(request["limit"]).to_list()
        return [(self._of_row(row), _score(row)) for row in rows]

    def _of_row(self, row: dict[str, Any]) -> Document:
        return self._document(row, row[self.option("id")])

    def _fetch(self, doc_ids: Sequence[str]) -> list[Document]:
        # The language of the conditions has no parameters; a quote in a text is doubled.
        listed = ", ".join("'" + one.replace("'", "''") + "'" for one in doc_ids)
        condition = f"CAST({self.option('id')} AS STRING) IN ({listed})"
        own = self.option("filter")
        return self._rows(f"({own}) AND {condition}" if own else condition, len(doc_ids))

    def _sample(self, size: int) -> list[Document]:
        return self._rows(self.option("filter"), size)

    def _rows(self, condition: str, limit: int) -> list[Document]:
        search = self._table.search()
        if condition:
            search = search.where(condition)
        columns = [name.split(".")[0] for name in self._fields()]
        return [self._of_row(row) for row in search.select(columns).limit(limit).to_list()]

    def _count(self) -> int | None:
        return int(self._table.count_rows(self.option("filter") or None))

    def _failure(self, error: Exception) -> LabError:
        words = " ".join(str(error).split())[:400]
        if isinstance(error, ValueError | RuntimeError | KeyError | OSError):
            return InvalidInput(
                f"LanceDB says: {words}.",
                hint="Check the address, the table, the columns, the model and the filter; full "
                "text needs an index of the text column.",
            )
        return self.unexpected(error)


def _score(row: dict[str, Any]) -> float:
    """What LanceDB computes: a score of words, or a distance, negated."""
    score = row.get("_score")
    return -float(row["_distance"]) if score is None else float(score)
