"""A rerank API at an address as the target of a load study."""

from __future__ import annotations

import json
from collections.abc import Sequence

from rerank_lab.core.errors import LabError
from rerank_lab.core.types import Document, Query
from rerank_lab.evaluation.load.generator import Answer, Call
from rerank_lab.remote.urls import check_form

TIMEOUT_S = 60.0


def address_call(
    address: str, queries: Sequence[Query], documents: Sequence[Document], key: str = ""
) -> Call:
    """Answers the n-th query by a POST to `address`, with `query` and `documents` as JSON.

    That is how the rerank APIs of Cohere, Jina and others are asked. A status of 400 or more is no
    answer.

    Args:
        address: The whole address, such as "http://127.0.0.1:8080/v1/rerank".
        queries: Asked in turn.
        documents: What each query is asked to rank.
        key: Sent as a bearer token, where there is one.

    Raises:
        InvalidInput: The address is none, or one of this network where that is not allowed.
    """
    from rerank_lab.remote.transport import send

    check_form(address)
    texts = [document.content for document in documents]
    bodies = [
        json.dumps({"query": query.text, "documents": texts}).encode("ascii") for query in queries
    ]
    headers = {"Content-Type": "application/json"}
    if key:
        headers["Authorization"] = f"Bearer {key}"

    def answer(index: int) -> Answer:
        body = bodies[index % len(bodies)]
        secrets = (key,) if key else ()
        try:
            reply = send(address, body, headers, timeout_s=TIMEOUT_S, secrets=secrets, own=False)
        except LabError as error:
            return Answer(False, error=error.message)
        if reply.status >= 400:
            return Answer(False, error=f"The server answered with status {reply.status}.")
        return Answer(True, len(texts))

    return answer
