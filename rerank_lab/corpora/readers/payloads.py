"""The fields that vector databases keep beside a vector, as the row of a document."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rerank_lab.core.text import load_json
from rerank_lab.corpora.mapping import META, TEXT, Record, find_column

_NODE = "_node_content"
"""Where LlamaIndex keeps a node, as JSON, in the payload of any vector database."""
_OWN = (_NODE, "_node_type", "doc_id", "document_id", "ref_doc_id")
"""What LlamaIndex writes beside a node."""


def payload_row(doc_id: Any, payload: Any, left_out: Iterable[str] = ()) -> Record:
    """The fields of a payload, with the id of its point; a node of LlamaIndex is opened."""
    fields: Record = dict(payload) if isinstance(payload, dict) else {}
    node = _node(fields.get(_NODE))
    if node:
        fields = {name: value for name, value in fields.items() if name not in _OWN}
        if find_column(fields, TEXT) is None:
            fields["text"] = node.get("text")
        metadata = node.get("metadata")
        fields[META] = metadata if isinstance(metadata, dict) else {}
    named = {} if doc_id is None else {"_id": doc_id}
    return named | {n: v for n, v in fields.items() if n not in left_out and n != "_id"}


def _node(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, str):
        return {}
    try:
        node = load_json(value)
    except ValueError:
        return {}
    return node if isinstance(node, dict) else {}
