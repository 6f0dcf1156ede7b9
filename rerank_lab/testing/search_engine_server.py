"""A small Elasticsearch or OpenSearch for tests: the wire of both, over documents in memory.

What is faithful, and by what:

- Paths, bodies and answers of `_search` and `_count` are those of the API specifications
  (elasticsearch-specification `_global/search` and `_global/count`, and the same of OpenSearch):
  `took`, `timed_out`, `_shards`, `hits.total.value` and `.relation`, `max_score`, and per hit
  `_index`, `_id`, `_score` and `_source`, of which only the fields that the body names are given.
- The official clients talk to it unchanged. elasticsearch-py refuses every 2xx answer without
  `X-Elastic-Product: Elasticsearch`, and names its major version in `Accept`; an engine of another
  one refuses that (`media_type_header_exception`), and the answer has the type that was accepted.
  Both clients read `root_cause`, `type` and `reason` out of the body of an error.
- Errors have the engines' types, status and words, as their users and client tests show them:
  `index_not_found_exception` (404); `parsing_exception` with line, column, "did you mean" and the
  cause `named_object_not_found_exception` (400); `x_content_parse_exception`; the result window
  (400, all shards failed); `security_exception` with `WWW-Authenticate` (401; OpenSearch's plugin
  answers in plain text); and one failed shard among good ones, which is a 200.
- Words are cut as by Lucene's standard analyzer: letters and digits together in lower case, each
  Chinese or Japanese character alone. Scores are Lucene's BM25 (k1 = 1.2, b = 0.75), summed over
  the words; `multi_match` takes the best field; ties go by the order of indexing.

Not there: other queries than those below, several shards, mappings, analysis by language.
"""

from __future__ import annotations

import base64
import difflib
import hashlib
import hmac
import json
import math
import re
import ssl
import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Literal

Flavour = Literal["elasticsearch", "opensearch"]
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W_\u3040-\u30ff\u3400-\u9fff]+")
_K1, _B = 1.2, 0.75
_WINDOW = 10_000
_QUERIES = ("bool", "ids", "knn", "match", "match_all", "multi_match", "term", "terms")
_BODY = {
    "_source", "from", "knn", "query", "search_pipeline", "size", "timeout", "track_total_hits",
    "min_score", "sort",
}  # fmt: skip
Scores = dict[int, float]


class SearchRefusal(Exception):
    """A request that the engine refuses, with the body it answers."""

    def __init__(
        self, status: int, kind: str, reason: str, *, cause: tuple[str, str] = ("", ""), **more: Any
    ) -> None:
        super().__init__(reason)
        self.status = status
        root = {"type": kind, "reason": reason, **more}
        error: dict[str, Any] = {"root_cause": [dict(root)], **root}
        if cause[0]:
            error["caused_by"] = {"type": cause[0], "reason": cause[1]}
        self.body: Any = {"error": error, "status": status}


@dataclass
class MemoryIndex:
    """Documents of one index: `_id` and `_source` in the order of indexing."""

    documents: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def scores(self, query: Any) -> Scores:
        """Number in the order of indexing -> score of every document that matches."""
        if not isinstance(query, dict) or len(query) != 1:
            raise SearchRefusal(
                400,
                "parsing_exception",
                "[query] malformed query, expected [END_OBJECT] but found [FIELD_NAME]",
                line=1,
                col=10,
            )
        ((name, body),) = query.items()
        if name not in _QUERIES:
            near = difflib.get_close_matches(name, _QUERIES, 1)
            raise SearchRefusal(
                400,
                "parsing_exception",
                f"unknown query [{name}]" + (f" did you mean [{near[0]}]?" if near else ""),
                line=1,
                col=11 + len(name),
                cause=(
                    "named_object_not_found_exception",
                    f"[1:{11 + len(name)}] unknown field [{name}]",
                ),
            )
        scores: Scores = getattr(self, f"_{name}")(body)
        return scores

    def _match_all(self, body: Any) -> Scores:
        return dict.fromkeys(range(len(self.documents)), 1.0)

    def _match(self, body: Any) -> Scores:
        ((name, words),) = body.items()
        return self._bm25(name, words["query"] if isinstance(words, dict) else words)

    def _multi_match(self, body: Any) -> Scores:
        best: Scores = {}
        for weighted in body["fields"]:
            name, _, boost = weighted.partition("^")
            for number, score in self._bm25(name, body["query"]).items():
                best[number] = max(best.get(number, 0.0), score * float(boost or 1))
        return best

    def _term(self, body: Any) -> Scores:
        ((name, value),) = body.items()
        return self._terms({name: [value["value"] if isinstance(value, dict) else value]})

    def _terms(self, body: Any) -> Scores:
        ((name, values),) = body.items()
        return {n: 1.0 for n, (_, one) in enumerate(self.documents) if _value(one, name) in values}

    def _ids(self, body: Any) -> Scores:
        return {n: 1.0 for n, (doc_id, _) in enumerate(self.documents) if doc_id in body["values"]}

    def _bool(self, body: Any) -> Scores:
        unknown = set(body) - {"must", "filter", "should", "must_not"}
        if unknown:
            raise SearchRefusal(
                400,
                "x_content_parse_exception",
                f"[1:12] [bool] unknown field [{sorted(unknown)[0]}]",
            )
        clauses = {key: part if isinstance(part, list) else [part] for key, part in body.items()}
        scored = [self.scores(one) for one in clauses.get("must", ())]
        matching = set(range(len(self.documents)))
        for scores in [*scored, *(self.scores(one) for one in clauses.get("filter", ()))]:
            matching &= scores.keys()
        for one in clauses.get("must_not", ()):
            matching -= self.scores(one).keys()
        should = [self.scores(one) for one in clauses.get("should", ())]
        if should and not (clauses.get("must") or clauses.get("filter")):
            matching &= set().union(*should)
        return {n: sum(s.get(n, 0.0) for s in (*scored, *should)) for n in matching}

    def _knn(self, body: Any) -> Scores:
        """OpenSearch's query of the k-NN plugin: {field: {vector, k, filter}}."""
        ((name, how),) = body.items()
        return self.nearest(name, how["vector"], how["k"], how.get("filter"))

    def nearest(self, name: str, vector: list[float], k: int, only: Any) -> Scores:
        """The k nearest by cosine, scored (1 + cosine) / 2 as both engines do."""
        allowed = self.scores(only) if only else None
        scores: Scores = {}
        for number, (_, source) in enumerate(self.documents):
            stored = _value(source, name)
            if stored is None or (allowed is not None and number not in allowed):
                continue
            if len(stored) != len(vector):
                raise SearchRefusal(
                    400,
                    "illegal_argument_exception",
                    f"the query vector has a different dimension [{len(vector)}] than the index "
                    f"vectors [{len(stored)}]",
                )
            scores[number] = (1 + _cosine(vector, stored)) / 2
        return dict(sorted(scores.items(), key=lambda item: (-item[1], item[0]))[:k])

    def _bm25(self, name: str, query: Any) -> Scores:
        texts = {
            n: _words(str(_value(s, name)))
            for n, (_, s) in enumerate(self.documents)
            if _value(s, name)
        }
        if not texts:
            return {}
        average = sum(map(len, texts.values())) / len(texts)
        scores: Scores = {}
        for word, wanted in Counter(_words(str(query))).items():
            holding = {n: words.count(word) for n, words in texts.items() if word in words}
            idf = math.log(1 + (len(texts) - len(holding) + 0.5) / (len(holding) + 0.5))
            for number, count in holding.items():
                norm = _K1 * (1 - _B + _B * len(texts[number]) / average)
                part = idf * count / (count + norm) * wanted
                scores[number] = scores.get(number, 0.0) + part
        return scores


class SearchEngineServer:
    """A context manager around a server on this machine.

    Attributes:
        flavour: whose wire it speaks.
        version: of the engine; clients of another major version of Elasticsearch are refused.
        indexes: by name; aliases are not known.
        user: name and password of basic authentication; None lets everybody in.
        key: an API key of Elasticsearch, "" for none.
        delay_s: how long each search takes.
        failing_shard: the reason of one shard of two that fails; "" while none does.
        tls: HTTPS by this context, if it is set before the server is entered.
        aws: key id and secret with which requests must be signed (AWS Signature Version 4).
        requests: the path and body of what was asked, in order.
    """

    def __init__(self, flavour: Flavour, version: str = "") -> None:
        self.flavour = flavour
        self.version = version or ("9.1.0" if flavour == "elasticsearch" else "3.1.0")
        self.indexes: dict[str, MemoryIndex] = {}
        self.user: tuple[str, str] | None = None
        self.key = ""
        self.delay_s = 0.0
        self.failing_shard = ""
        self.tls: ssl.SSLContext | None = None
        self.aws: tuple[str, str] | None = None
        self.requests: list[tuple[str, Any]] = []
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True

    def index(self, name: str, documents: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
        """Make an index of documents: `_id` and `_source`."""
        self.indexes[name] = MemoryIndex([(doc_id, dict(source)) for doc_id, source in documents])

    @property
    def address(self) -> str:
        """Such as http://127.0.0.1:9200, with the user where there is one."""
        login = f"{self.user[0]}:{self.user[1]}@" if self.user else ""
        scheme = "https" if self.tls else "http"
        host = "localhost" if self.tls else "127.0.0.1"  # a certificate is of a name
        return f"{scheme}://{login}{host}:{self._http.server_port}"

    def __enter__(self) -> SearchEngineServer:
        if self.tls is not None:
            self._http.socket = self.tls.wrap_socket(self._http.socket, server_side=True)
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._http.shutdown()
        self._http.server_close()

    def answer(self, path: str, body: Any) -> Any:
        """The body of a 2xx answer. Raises SearchRefusal."""
        self.requests.append((path, body))
        parts = path.strip("/").split("/")
        if parts == [""]:
            return self._info()
        name, api = parts[0], parts[-1]
        if name not in self.indexes:
            raise SearchRefusal(
                404,
                "index_not_found_exception",
                f"no such index [{name}]",
                index=name,
                index_uuid="_na_",
            )
        if api == "_count":
            count = len(self.indexes[name].scores((body or {}).get("query", {"match_all": {}})))
            return {"count": count, "_shards": _shards()}
        return self._search(name, body or {})

    def _search(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        size = _checked_size(name, body)
        start = time.perf_counter()
        time.sleep(self.delay_s)
        index = self.indexes[name]
        scores = self._query_scores(index, body)
        if "knn" in body:  # Elasticsearch's own part of the body
            knn = body["knn"]
            only = {"bool": {"filter": knn["filter"]}} if knn.get("filter") else None
            for number, score in index.nearest(
                knn["field"], knn["query_vector"], knn["k"], only
            ).items():
                scores[number] = scores.get(number, 0.0) + score
        best = sorted(scores.items(), key=lambda item: (-item[1], item[0]))[:size]
        return {
            "took": round((time.perf_counter() - start) * 1000),
            "timed_out": False,
            "_shards": _shards(self.failing_shard, name),
            "hits": {
                "total": {"value": len(scores), "relation": "eq"},
                "max_score": best[0][1] if best else None,
                "hits": [
                    {
                        "_index": name,
                        "_id": index.documents[number][0],
                        "_score": score,
                        "_source": _chosen(index.documents[number][1], body.get("_source", True)),
                    }
                    for number, score in best
                ],
            },
        }

    def _query_scores(self, index: MemoryIndex, body: dict[str, Any]) -> Scores:
        hybrid = (body.get("query") or {}).get("hybrid")
        if hybrid is None or self.flavour != "opensearch":
            return index.scores(body["query"]) if "query" in body or "knn" not in body else {}
        lists = [index.scores(query) for query in hybrid["queries"]]
        return fused(lists, body.get("search_pipeline"))

    def _info(self) -> dict[str, Any]:
        version: dict[str, Any] = {"number": self.version, "lucene_version": "10.2.2"}
        tagline = "You Know, for Search"
        if self.flavour == "opensearch":
            version["distribution"] = "opensearch"
            tagline = "The OpenSearch Project: https://opensearch.org/"
        names = {
            "name": "node-1",
            "cluster_name": "tests",
            "cluster_uuid": "q6ziIqdrTKaHPdKEOCvgbQ",
        }
        return {**names, "version": version, "tagline": tagline}

    def refusal_of(self, headers: Any) -> SearchRefusal | None:
        """Why the headers of a request are refused, None when they are not."""
        accept = headers.get("accept", "")
        compatible = re.search(r"compatible-with=(\d+)", accept)
        major = self.version.split(".")[0]
        if self.flavour == "elasticsearch" and compatible and compatible[1] != major:
            return SearchRefusal(
                400,
                "media_type_header_exception",
                f"Invalid media-type value on headers [Accept]: Accept version must be either "
                f"version {major} or {int(major) - 1}, but found {compatible[1]}. Accept={accept}",
            )
        allowed = []
        if self.user is not None:
            allowed.append("Basic " + base64.b64encode(":".join(self.user).encode()).decode())
        if self.key:
            allowed.append(f"ApiKey {self.key}")
        if not allowed or headers.get("authorization") in allowed:
            return None
        refusal = SearchRefusal(
            401,
            "security_exception",
            "missing authentication credentials for REST request",
            header={"WWW-Authenticate": ['Basic realm="security", charset="UTF-8"', "ApiKey"]},
        )
        if self.flavour == "opensearch":
            refusal.body = "Unauthorized"
        return refusal


def _handler(server: SearchEngineServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            """Nothing is printed."""

        def do_GET(self) -> None:
            self._reply()

        def do_POST(self) -> None:
            self._reply()

        def _reply(self) -> None:
            content = self.rfile.read(int(self.headers.get("content-length") or 0))
            status, body = 200, None
            try:
                refusal = server.refusal_of(self.headers) or unsigned(server.aws, self, content)
                if refusal is not None:
                    raise refusal
                body = server.answer(self.path.split("?")[0], json.loads(content or b"{}"))
            except SearchRefusal as refused:
                status, body = refused.status, refused.body
            media = "text/plain; charset=UTF-8"
            if not isinstance(body, str):
                media = "application/json; charset=UTF-8"
                if "vnd.elasticsearch+json" in self.headers.get("accept", ""):
                    media = self.headers["accept"].split(",")[0]
                body = json.dumps(body)
            data = body.encode()
            self.send_response(status)
            self.send_header("content-type", media)
            self.send_header("content-length", str(len(data)))
            if server.flavour == "elasticsearch":
                self.send_header("X-elastic-product", "Elasticsearch")
            self.end_headers()
            self.wfile.write(data)

    return Handler


def fused(lists: Sequence[Scores], pipeline: Any) -> Scores:
    """The lists of a hybrid query as OpenSearch's processors fuse them.

    By the documentation of `score-ranker-processor` (rank fusion: the sum of 1 / (rank_constant +
    rank), ranks from 1) and of `normalization-processor` (min_max: the smallest score of a list
    counts 0.001, one score alone 1; arithmetic_mean: over all lists, 0 where a list lacks it).
    """
    ((name, processor),) = pipeline["phase_results_processors"][0].items()
    scores: Scores = {}
    for scored in lists:
        ranked = sorted(scored.items(), key=lambda item: (-item[1], item[0]))
        low, high = (ranked[-1][1], ranked[0][1]) if ranked else (0.0, 0.0)
        for rank, (number, score) in enumerate(ranked, 1):
            if name == "score-ranker-processor":
                part = 1 / (processor["combination"]["rank_constant"] + rank)
            else:
                scaled = 1.0 if high == low else (score - low) / (high - low)
                part = max(scaled, 0.001) / len(lists)
            scores[number] = scores.get(number, 0.0) + part
    return scores


def unsigned(
    keys: tuple[str, str] | None, request: BaseHTTPRequestHandler, content: bytes
) -> SearchRefusal | None:
    """Why the signature of a request does not hold, None where it does or none is needed.

    Worked out from the description of AWS Signature Version 4: a canonical request over the headers
    that are named as signed, and a key made from secret, day, region and service.
    """
    if keys is None:
        return None
    named = re.fullmatch(
        r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8}/([^/]+)/(es|aoss)/aws4_request), "
        r"SignedHeaders=([^,]+), Signature=([0-9a-f]{64})",
        request.headers.get("authorization", ""),
    )
    refusal = SearchRefusal(403, "", "")
    refusal.body = {"message": "Missing Authentication Token"}
    if named is None or named[1] != keys[0]:
        return refusal
    headers = "".join(f"{one}:{request.headers[one].strip()}\n" for one in named[5].split(";"))
    path, _, query = request.path.partition("?")
    canonical_request = [
        request.command,
        path,
        query,
        headers,
        named[5],
        hashlib.sha256(content).hexdigest(),
    ]
    digest = hashlib.sha256("\n".join(canonical_request).encode()).hexdigest()
    text = "\n".join(["AWS4-HMAC-SHA256", request.headers["x-amz-date"], named[2], digest])
    key = f"AWS4{keys[1]}".encode()
    for part in (*named[2].split("/"), text):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    if key.hex() == named[6]:
        return None
    refusal.body = {
        "message": "The request signature we calculated does not match the signature you provided."
    }
    return refusal


def _checked_size(name: str, body: dict[str, Any]) -> int:
    """How many hits a search wants. Raises SearchRefusal for a body that cannot be understood."""
    unknown = sorted(set(body) - _BODY)
    if unknown:
        kind = "START_OBJECT" if isinstance(body[unknown[0]], dict) else "VALUE_STRING"
        raise SearchRefusal(
            400,
            "parsing_exception",
            f"Unknown key for a {kind} in [{unknown[0]}].",
            line=1,
            col=2,
        )
    size = int(body.get("size", 10))
    if size + int(body.get("from", 0)) > _WINDOW:
        raise _shard_failure(
            name,
            "illegal_argument_exception",
            "Result window is too large, from + size must be less than or equal to: "
            f"[{_WINDOW}] but was [{size}]. See the scroll api for a more efficient way to "
            "request large data sets. This limit can be set by changing the "
            "[index.max_result_window] index level setting.",
        )
    return size


def _shard_failure(name: str, kind: str, reason: str) -> SearchRefusal:
    refusal = SearchRefusal(400, kind, reason)
    cause = {"type": kind, "reason": reason}
    refusal.body["error"] |= {
        "type": "search_phase_execution_exception",
        "reason": "all shards failed",
        "phase": "query",
        "grouped": True,
        "failed_shards": [{"shard": 0, "index": name, "node": "n1", "reason": cause}],
    }
    return refusal


def _shards(failure: str = "", name: str = "") -> dict[str, Any]:
    shards: dict[str, Any] = {"total": 1, "successful": 1, "skipped": 0, "failed": 0}
    if failure:
        reason = {"type": "query_shard_exception", "reason": failure, "index": name}
        shards |= {"total": 2, "failed": 1}
        shards["failures"] = [{"shard": 1, "index": name, "node": "n1", "reason": reason}]
    return shards


def _chosen(source: dict[str, Any], wanted: Any) -> dict[str, Any]:
    if wanted is True:
        return source
    chosen: dict[str, Any] = {}
    for name in wanted or ():
        value, inside = _value(source, name), chosen
        if value is None:
            continue
        *outer, last = name.split(".")
        for part in outer:
            inside = inside.setdefault(part, {})
        inside[last] = value
    return chosen


def _value(source: Any, name: str) -> Any:
    """The value of a field; a dotted name leads into objects."""
    for part in name.split("."):
        source = source.get(part) if isinstance(source, dict) else None
    return source


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def _cosine(a: list[float], b: list[float]) -> float:
    product = sum(x * y for x, y in zip(a, b, strict=True))
    return product / (math.hypot(*a) * math.hypot(*b) or 1.0)
