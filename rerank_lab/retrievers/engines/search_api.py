"""What Elasticsearch and OpenSearch share: the body of a search, its hits, and its errors."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

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
    document_of,
    environment,
    field_params,
    tls_params,
    vector_params,
)
from rerank_lab.retrievers.engines.templates import filled, json_request, shortened_json

WORDS, VECTOR = "words", "vector"
_NAMES = ("query", "k", "vector")
_WINDOW = 10_000
"""`index.max_result_window` of both engines: more hits are refused."""


def search_params(variable: str, searches: tuple[str, ...] = (WORDS, VECTOR)) -> tuple[Param, ...]:
    """The options of both; `variable` usually holds the address."""
    hybrid = "; hybrid does both and fuses them inside the engine" if len(searches) > 2 else ""
    return (
        DEPTH,
        address_param("url_env", variable, "https://user:password@host:9200"),
        Param("index", "", "The index or alias to search.", label="Index"),
        *field_params(id_default="_id"),
        Param(
            "search",
            WORDS,
            "words is a multi_match over title and text, vector a nearest-neighbour search"
            f"{hybrid}.",
            choices=searches,
            label="Search by",
        ),
        *vector_params(),
        Param("filter", "", 'A query in JSON, such as {"term": {"public": true}}.', label="Filter"),
        Param("template", "", TEMPLATE_HELP, label="Own search body"),
        *tls_params(),
        TIMEOUT,
    )


class SearchAPI(EngineRetriever):
    """A first stage behind `POST /{index}/_search`, by the engine's official client."""

    @abstractmethod
    def _call(self, api: str, body: dict[str, Any]) -> Mapping[str, Any]:
        """`search` or `count` on the index, and the answer's JSON."""

    @abstractmethod
    def _nearest(self) -> dict[str, Any]:
        """The body of a nearest-neighbour search, with `{vector}` and `{k}`."""

    @property
    def _address(self) -> str:
        return environment(self.option("url_env"), f"the address of {self.title}")

    @property
    def _login(self) -> tuple[str, str] | None:
        """User and password of the address."""
        parts = urlsplit(self._address)
        if parts.username is None:
            return None
        return unquote(parts.username), unquote(parts.password or "")

    @property
    def _bare_address(self) -> str:
        """The address without user and password.

        Raises:
            InvalidInput: it cannot be read; the message does not repeat it.
        """
        try:
            parts = urlsplit(self._address)
            port = f":{parts.port}" if parts.port else ""
        except ValueError:
            parts, port = urlsplit(""), ""
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InvalidInput(
                f"The address in {self.option('url_env')} cannot be read.",
                hint="It looks like https://user:password@search.example.com:9200.",
            )
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        port = port or (":443" if parts.scheme == "https" else ":80")
        return urlunsplit((parts.scheme, host + port, parts.path, "", ""))

    @property
    def _secrets(self) -> Sequence[str]:
        try:
            address, login = self._address, self._login
        except (LabError, ValueError):
            return ()
        own = [address, urlsplit(address).password or ""] if login else []
        return (*own, *(login[1:] if login else ()))

    @property
    def place(self) -> str:
        """Address, index, fields and filter."""
        options = " ".join(self.option(n) for n in ("index", "id", "title", "text", "filter"))
        return f"{self.info.name} {self._bare_address} {options}"

    @property
    def uses_vector(self) -> bool:
        """By embeddings, or because the template asks for one."""
        if self.option("template"):
            return '"{vector}"' in self.option("template")
        return self.option("search") == VECTOR

    @property
    def scale(self) -> str:
        """`engine score`: BM25 by default, or what the template computes."""
        return ENGINE_SCALE

    def _check_options(self) -> None:
        super()._check_options()
        problems = [] if self.option("index") else ["no index is named"]
        if self.uses_vector and not self.option("template") and not self.option("vector"):
            problems.append("no vector field is named")
        if problems:
            raise InvalidInput(
                f"{self.info.name}: {'; '.join(problems)}.",
                hint=f'Such as {self.info.name}(index="articles",title="title",text="body").',
                problems=problems,
            )
        self._filters()

    def _filters(self) -> list[dict[str, Any]]:
        text = self.option("filter")
        if not text:
            return []
        request = json_request(text, (), needs_query=False)
        return [dict(request)]

    def _body(self) -> dict[str, Any]:
        """The body with its placeholders: the user's own, or the usual one."""
        own = self.option("template")
        if own:
            body = json_request(own, _NAMES)
            return {"size": "{k}", **body}
        if self.option("search") == VECTOR:
            return {"size": "{k}", **self._nearest()}
        return {"size": "{k}", "query": self._words()}

    def _words(self) -> dict[str, Any]:
        """The query by words, with `{query}`."""
        fields = [self.option(name) for name in ("title", "text") if self.option(name)]
        words: dict[str, Any] = {"multi_match": {"query": "{query}", "fields": fields}}
        if self._filters():
            words = {"bool": {"must": [words], "filter": self._filters()}}
        return words

    def template_text(self) -> str:
        """The body with its placeholders."""
        self._check_options()
        return json.dumps(self._body(), ensure_ascii=False, indent=2)

    def _request(self, query: EngineQuery) -> dict[str, Any]:
        values = {
            "query": query.text,
            "k": min(query.k, _WINDOW),
            "vector": list(query.vector),
        }
        body = filled(self._body(), values)
        body.setdefault("_source", self._fields())
        body.setdefault("timeout", f"{max(1, round(self.timeout_s * 1000))}ms")
        return dict(body)

    def _fields(self) -> list[str]:
        names = (self.option(name) for name in ("id", "title", "text"))
        return [name for name in names if name and name != "_id"]

    def request_text(self, query: EngineQuery) -> str:
        """The request line and the body; a vector is cut."""
        body = shortened_json(self._request(query))
        return f"POST /{self.option('index')}/_search\n{body}"

    def _ask(self, query: EngineQuery) -> EngineResponse:
        answer = self._call("search", self._request(query))
        hits = tuple(
            EngineHit(self._document(hit), _number(hit.get("_score")))
            for hit in answer["hits"]["hits"]
        )
        return EngineResponse(hits, float(answer.get("took", 0)) / 1000, _warnings(answer))

    def _document(self, hit: Mapping[str, Any]) -> Document:
        source = hit.get("_source") or {}
        name = self.option("id")
        doc_id = hit["_id"] if name == "_id" else source.get(name)
        return document_of(source, as_text(doc_id), self.option("title"), self.option("text"))

    def _fetch(self, doc_ids: Sequence[str]) -> list[Document]:
        name = self.option("id")
        by_id: dict[str, Any] = {"ids": {"values": list(doc_ids)}}
        if name != "_id":
            by_id = {"terms": {name: list(doc_ids)}}
        query = {"bool": {"filter": [by_id, *self._filters()]}}
        return self._documents({"query": query, "size": len(doc_ids)})

    def _sample(self, size: int) -> list[Document]:
        query = {"bool": {"filter": self._filters()}} if self._filters() else {"match_all": {}}
        return self._documents({"query": query, "size": size})

    def _documents(self, body: dict[str, Any]) -> list[Document]:
        answer = self._call("search", {**body, "_source": self._fields()})
        return [self._document(hit) for hit in answer["hits"]["hits"]]

    def _count(self) -> int | None:
        query = {"bool": {"filter": self._filters()}} if self._filters() else {"match_all": {}}
        return int(self._call("count", {"query": query})["count"])

    def explained(self, status: int, body: Any) -> LabError:
        """The engine's own explanation of a refused request, and what to do."""
        words = explanation(body) or f"status {status}"
        hint = _HINTS.get(status, "Correct the options or the template, and try it on one query.")
        if status >= 500 or status == 429:
            return BackendError(f"{self.title} says: {words}.", hint=hint, retryable=True)
        return InvalidInput(f"{self.title} says: {words}.", hint=hint)

    def unreachable(self, reason: str) -> LabError:
        """The error for an address where nobody answers."""
        return BackendError(
            f"{self.title} cannot be reached: {' '.join(reason.split())[:300]}",
            hint=certificate_hint(reason)
            or f"Check the address in {self.option('url_env')}, and that the engine runs.",
            retryable=True,
        )

    @property
    def _tls(self) -> dict[str, Any]:
        """The files of certificates, as both clients take them; both check certificates."""
        files = {"ca_certs": self._authority, "client_cert": self._certificate}
        return {name: path for name, path in files.items() if path}


def explanation(body: Any) -> str:
    """What the JSON of a failed request says: the root cause, and the innermost reason below it.

    A body that is plain text, as proxies and the security plugin give it, is its own explanation.
    """
    error = body
    if isinstance(body, Mapping):  # a gateway of AWS answers with a message alone
        error = body.get("error") or body.get("message") or body.get("Message")
    if not isinstance(error, Mapping):
        return " ".join(as_text(error).split())[:300]
    shards = error.get("failed_shards") or [{}]
    causes = [*(error.get("root_cause") or ()), error, shards[0].get("reason")]
    reasons: list[str] = []
    for cause in causes:
        while isinstance(cause, Mapping):
            reason = " ".join(as_text(cause.get("reason")).split())
            if reason and reason not in reasons:
                reasons.append(reason)
            cause = cause.get("caused_by")
    reasons = [one for one in reasons if one != "all shards failed"] or reasons
    return ": ".join(reasons)[:600]


def _warnings(answer: Mapping[str, Any]) -> tuple[str, ...]:
    """That an answer is only a part, which both engines give with status 200."""
    warnings = []
    if answer.get("timed_out"):
        warnings.append("The engine ran out of time; these are the hits that it had by then.")
    shards = answer.get("_shards") or {}
    if shards.get("failed"):
        failures = shards.get("failures") or [{}]
        words = explanation({"error": failures[0].get("reason") or {}})
        warnings.append(
            f"{shards['failed']} of {shards.get('total', '?')} shards failed, and their hits are "
            f"missing" + (f": {words}" if words else ".")
        )
    return tuple(warnings)


def _number(score: object) -> float | None:
    return float(score) if isinstance(score, int | float) else None


_HINTS = {
    401: "Check user and password (or the key) in the environment.",
    403: "Let this user read the index.",
    404: "Check the name of the index.",
    429: "The engine is busy; ask again later, or fewer at a time.",
}
