"""How to call a served pipeline: the command that starts it, and requests of usual clients."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass

from rerank_lab.views.formatting import counted

OWN_ADDRESS = "http://127.0.0.1:8000"
"""Where `rerank-lab serve` listens by itself."""
_QUERY = "what is a heat pump?"
_TEXTS = ["Bread needs flour.", "A heat pump moves heat from a cold place to a warm one."]


@dataclass(frozen=True, slots=True)
class ServeTarget:
    """What is called.

    Attributes:
        name: What clients send as `model`.
        address: Scheme, host and port, without a slash at the end.
        key_needed: Whether requests need a key.
    """

    name: str
    address: str = OWN_ADDRESS
    key_needed: bool = False

    @property
    def key(self) -> str:
        """What stands in the place of the key: clients want one even where none is needed."""
        return "YOUR-KEY" if self.key_needed else "any-key"


@dataclass(frozen=True, slots=True)
class Snippet:
    """One way to call the API.

    Attributes:
        title: For a tab, such as "LangChain".
        language: Of the code, for its colours.
        needs: What to install; "" for nothing.
        code: To copy.
    """

    title: str
    language: str
    needs: str
    code: str


def serve_command(spec: str, corpus: str = "") -> str:
    """The command that serves a pipeline alone, for a shell; with a corpus it searches as well."""
    search = f" --corpus {shlex.quote(corpus)}" if corpus else ""
    return f"rerank-lab serve {shlex.quote(spec)}{search} --port 8000"


def app_command(spec: str) -> str:
    """The command that serves a pipeline inside the app."""
    return f"rerank-lab app --serve {shlex.quote(spec)}"


def rerank_snippets(target: ServeTarget) -> tuple[Snippet, ...]:
    """Requests to rerank texts, for usual clients."""
    given = f"QUERY = {json.dumps(_QUERY)}\nTEXTS = {json.dumps(_TEXTS)}"
    body = json.dumps({"model": target.name, "query": _QUERY, "documents": _TEXTS, "top_n": 2})
    values = {
        "__GIVEN__": given,
        "__KEY__": repr(target.key),
        "__ADDRESS__": repr(target.address),
        "__MODEL__": repr(target.name),
    }
    return (
        Snippet("curl", "bash", "", _curl(target, "/v2/rerank", body)),
        *(
            Snippet(title, "python", needs, _filled(template, values))
            for title, needs, template in _PYTHON
        ),
    )


def search_snippet(target: ServeTarget, query: str = _QUERY) -> Snippet:
    """A request to search the server's corpus with the whole pipeline."""
    body = json.dumps({"model": target.name, "query": query, "top_n": 5}, ensure_ascii=False)
    return Snippet("Search", "bash", "", _curl(target, "/v1/search", body))


def state_sentence(state: str) -> str:
    """Whether the API answers, in words."""
    return {
        "ready": "The API is on and answers.",
        "loading": "The API is on. Its models are being loaded; requests wait for them.",
        "closing": "The API is being shut down.",
    }.get(state, f"The API is on, but a pipeline cannot answer: {state.removeprefix('failed: ')}")


def traffic_sentence(requests: int, failed: int, pending: int, capacity: int) -> str:
    """What came in since the start, and what is in the queue now."""
    since = f"{counted(requests, 'request')} since the start"
    if failed:
        since += f", {failed:,} of them refused or failed"
    return f"{since} · {pending:,} of {capacity:,} places in the queue taken"


def _curl(target: ServeTarget, path: str, body: str) -> str:
    lines = [f"curl {shlex.quote(target.address + path)}", "-H 'Content-Type: application/json'"]
    if target.key_needed:
        lines.append(f"-H 'Authorization: Bearer {target.key}'")
    return " \\\n  ".join([*lines, f"-d {shlex.quote(body)}"])


def _filled(template: str, values: dict[str, str]) -> str:
    for mark, value in values.items():
        template = template.replace(mark, value, 1)
    return template


_COHERE = """import cohere

__GIVEN__

client = cohere.ClientV2(__KEY__, base_url=__ADDRESS__)
answer = client.rerank(model=__MODEL__, query=QUERY, documents=TEXTS, top_n=2)
for result in answer.results:
    print(result.relevance_score, TEXTS[result.index])
"""
_LANGCHAIN = """from langchain_cohere import CohereRerank
from langchain_core.documents import Document

__GIVEN__

# Also a base_compressor of ContextualCompressionRetriever.
reranker = CohereRerank(cohere_api_key=__KEY__, base_url=__ADDRESS__, model=__MODEL__, top_n=2)
documents = [Document(text) for text in TEXTS]
for document in reranker.compress_documents(documents, QUERY):
    print(document.metadata["relevance_score"], document.page_content)
"""
_LLAMA_INDEX = """from llama_index.core.schema import NodeWithScore, TextNode
from llama_index.postprocessor.cohere_rerank import CohereRerank

__GIVEN__

# Also one of the node_postprocessors of a query engine.
reranker = CohereRerank(api_key=__KEY__, base_url=__ADDRESS__, model=__MODEL__, top_n=2)
nodes = [NodeWithScore(node=TextNode(text=text)) for text in TEXTS]
for node in reranker.postprocess_nodes(nodes, query_str=QUERY):
    print(node.score, node.text)
"""
_HAYSTACK = """from haystack import Document
from haystack.utils import Secret
from haystack_integrations.components.rankers.cohere import CohereRanker

__GIVEN__

ranker = CohereRanker(
    api_key=Secret.from_token(__KEY__), api_base_url=__ADDRESS__, model=__MODEL__, top_k=2
)
ranker.warm_up()
documents = [Document(content=text) for text in TEXTS]
for document in ranker.run(query=QUERY, documents=documents)["documents"]:
    print(document.score, document.content)
"""
_LITELLM = """import litellm

__GIVEN__

answer = litellm.rerank(
    api_key=__KEY__,
    api_base=__ADDRESS__,
    model="cohere/" + __MODEL__,
    query=QUERY,
    documents=TEXTS,
    top_n=2,
)
for result in answer.results:
    print(result["relevance_score"], TEXTS[result["index"]])
"""
_PYTHON = (
    ("Cohere SDK", "pip install cohere", _COHERE),
    ("LangChain", "pip install langchain-cohere", _LANGCHAIN),
    ("LlamaIndex", "pip install llama-index-postprocessor-cohere-rerank", _LLAMA_INDEX),
    ("Haystack", "pip install cohere-haystack", _HAYSTACK),
    ("LiteLLM", "pip install litellm", _LITELLM),
)
