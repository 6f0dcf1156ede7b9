"""A pipeline as Python files: alone, inside a framework, or with sentence-transformers only."""

from __future__ import annotations

import re
from collections.abc import Mapping

from rerank_lab.components.catalogue import catalogue
from rerank_lab.components.registry import expand, resolve_stages
from rerank_lab.core.spec import PipelineSpec
from rerank_lab.decision.shipping.shipment import Shipment, ShippedFile, ShippingForm, file_stem

_NO_STAGE = "The pipeline has no reranking stage; a framework's own retriever does all of its work."


def python_module(spec: PipelineSpec, name: str, corpus: str) -> Shipment:
    """The whole pipeline as a module over the public API."""
    has_stages = bool(spec.stages)
    parts = {
        "__SPEC__": repr(str(spec)),
        "__CORPUS__": repr(corpus),
        "__IMPORTS__": _IMPORTS if has_stages else _IMPORTS_SEARCH,
        "__RERANK__": _RERANK if has_stages else "",
    }
    return Shipment(
        "python",
        "Python module",
        "Searches and reranks without the app; needs the package rerank-lab alone.",
        (ShippedFile.text(f"{file_stem(name)}.py", _filled(_PYTHON, parts)),),
    )


def framework_module(spec: PipelineSpec, name: str, form: ShippingForm) -> Shipment:
    """The reranking stages inside LangChain, LlamaIndex or Haystack."""
    title, extra, template = _FRAMEWORKS[form]
    sentence = f"The reranking stages behind a retriever of {title}; needs rerank-lab[{extra}]."
    if not spec.stages:
        return Shipment(form, title, sentence, absence=_NO_STAGE)
    stages = str(resolve_stages(PipelineSpec(spec.stages)))
    file = f"{file_stem(name)}_{form.replace('-', '_')}.py"
    body = _filled(template, {"__STAGES__": repr(stages)})
    return Shipment(form, title, sentence, (ShippedFile.text(file, body),))


def sentence_transformers_module(spec: PipelineSpec, name: str) -> Shipment:
    """A single local cross-encoder without this package, where the scores stay the same."""
    title = "sentence-transformers"
    sentence = "Its cross-encoder with sentence-transformers alone; the scores are the same."
    absence = _not_alone(spec)
    if absence:
        return Shipment("sentence-transformers", title, sentence, absence=absence)
    _, options = expand(spec.stages[0], "reranker")
    model = str(options["model"])
    hub = catalogue()[model].hub if model in catalogue() else model
    parts = {
        "__MODEL__": repr(hub),
        "__TOP__": repr(int(options["top"])),
        "__MAX_LENGTH__": repr(int(options["max_length"]) or None),
    }
    body = _filled(_SENTENCE_TRANSFORMERS, parts)
    file = f"{file_stem(name)}_sentence_transformers.py"
    return Shipment("sentence-transformers", title, sentence, (ShippedFile.text(file, body),))


def _filled(template: str, parts: Mapping[str, str]) -> str:
    """The template with its marks replaced in one pass: no part is looked into for marks."""
    return re.sub("|".join(parts), lambda match: parts[match[0]], template)


def _not_alone(spec: PipelineSpec) -> str:
    """Why sentence-transformers alone would not give the same scores; "" when it does."""
    if len(spec.stages) != 1:
        return "This form exists for a single reranking stage."
    info, options = expand(spec.stages[0], "reranker")
    if info.name != "cross-encoder":
        return f"This form exists for cross-encoders, and the stage is {info.name}."
    if options["long"] != "head":
        return "Long documents are cut into windows here, which sentence-transformers does not do."
    if options["backend"] != "torch":
        return (
            "The lab may run an int8 graph of this model, whose scores differ from those of "
            'sentence-transformers. Evaluate it with backend="torch" to ship it in this form.'
        )
    return ""


_IMPORTS = "from rerank_lab import Corpus, Document, Pipeline, load_corpus, rerank_documents"
_IMPORTS_SEARCH = "from rerank_lab import Corpus, Pipeline, load_corpus"
_RERANK = '''

def rerank(query: str, texts: list[str]) -> list[tuple[int, float | None]]:
    """Candidates of your own search: their places in `texts`, best first, each with its score."""
    documents = [Document(str(place), text) for place, text in enumerate(texts)]
    result = rerank_documents(PIPELINE, query, documents)
    if result.ranking is None:
        raise result.error or RuntimeError("no ranking")
    return [(int(hit.doc_id), hit.score) for hit in result.ranking.hits]
'''
_PYTHON = '''"""One pipeline of Rerank Lab, without its app.

    python THIS_FILE "what to search for" [CORPUS]

CORPUS is the name of a corpus of the lab, or a path in any format that it reads.
"""

from __future__ import annotations

import sys

__IMPORTS__

PIPELINE = Pipeline(__SPEC__)
CORPUS = __CORPUS__


def search(corpus: Corpus, query: str, top: int = 10) -> list[tuple[str, float | None]]:
    """The ids of the best documents of a corpus, best first, each with its score."""
    result = PIPELINE.run(query, corpus)
    if result.ranking is None:
        raise result.error or RuntimeError("no ranking")
    return [(hit.doc_id, hit.score) for hit in result.ranking.hits[:top]]
__RERANK__

if __name__ == "__main__":
    words = sys.argv[1:]
    if not words:
        sys.exit("Give the words to search for, and a corpus.")
    for doc_id, score in search(load_corpus(words[1] if words[1:] else CORPUS), words[0]):
        print(doc_id, score)
'''
_LANGCHAIN = '''"""Reranking stages of Rerank Lab as a document compressor of LangChain.

ContextualCompressionRetriever of langchain-classic takes RERANKER as its base_compressor.
"""

from __future__ import annotations

import sys

from langchain_core.documents import Document

from rerank_lab.integrations.langchain import RerankLabCompressor

RERANKER = RerankLabCompressor(__STAGES__, top_n=10)

if __name__ == "__main__":
    query, *texts = sys.argv[1:]
    documents = [Document(page_content=text) for text in texts]
    for document in RERANKER.compress_documents(documents, query):
        print(document.metadata.get("relevance_score"), document.page_content)
'''
_LLAMA_INDEX = '''"""Reranking stages of Rerank Lab as a node post-processor of LlamaIndex.

A query engine takes RERANKER in its node_postprocessors.
"""

from __future__ import annotations

import sys

from llama_index.core.schema import NodeWithScore, TextNode

from rerank_lab.integrations.llama_index import RerankLabPostprocessor

RERANKER = RerankLabPostprocessor(__STAGES__, top_n=10)

if __name__ == "__main__":
    query, *texts = sys.argv[1:]
    nodes = [NodeWithScore(node=TextNode(text=text)) for text in texts]
    for node in RERANKER.postprocess_nodes(nodes, query_str=query):
        print(node.score, node.node.get_content())
'''
_HAYSTACK = '''"""Reranking stages of Rerank Lab as a ranker component of Haystack.

    pipeline.add_component("ranker", ranker())
    pipeline.connect("retriever.documents", "ranker.documents")
"""

from __future__ import annotations

import sys

from haystack import Document

from rerank_lab.integrations.haystack import RerankLabRanker


def ranker() -> RerankLabRanker:
    """A new component: a pipeline of Haystack wants one of its own."""
    return RerankLabRanker(__STAGES__, top_k=10)


if __name__ == "__main__":
    query, *texts = sys.argv[1:]
    documents = [Document(content=text) for text in texts]
    for document in ranker().run(query=query, documents=documents)["documents"]:
        print(document.score, document.content)
'''
_SENTENCE_TRANSFORMERS = '''"""A cross-encoder with sentence-transformers alone.

    python THIS_FILE "a query" "a text" "another text"
"""

from __future__ import annotations

import sys

import torch
from sentence_transformers import CrossEncoder

MODEL = __MODEL__
TOP = __TOP__
"""So many candidates are reranked; the others stay behind them, without a score."""
_model = CrossEncoder(
    MODEL, max_length=__MAX_LENGTH__, activation_fn=torch.nn.Identity(), device="cpu"
)


def rerank(query: str, texts: list[str]) -> list[tuple[int, float | None]]:
    """The places of the texts, best first, each with its score: a raw logit."""
    scores = _model.predict([(query, text) for text in texts[:TOP]], show_progress_bar=False)
    order = sorted(range(len(scores)), key=lambda place: (-float(scores[place]), place))
    rest = range(len(scores), len(texts))
    return [(place, float(scores[place])) for place in order] + [(place, None) for place in rest]


if __name__ == "__main__":
    query, *texts = sys.argv[1:]
    for place, score in rerank(query, texts):
        print(score, texts[place])
'''
_FRAMEWORKS: dict[ShippingForm, tuple[str, str, str]] = {
    "langchain": ("LangChain", "langchain", _LANGCHAIN),
    "llama-index": ("LlamaIndex", "llama-index", _LLAMA_INDEX),
    "haystack": ("Haystack", "haystack", _HAYSTACK),
}
