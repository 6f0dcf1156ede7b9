"""Rerankers inside other frameworks: one module a framework, which imports it.

    from rerank_lab.integrations.langchain import RerankLabCompressor
    from rerank_lab.integrations.llama_index import RerankLabPostprocessor
    from rerank_lab.integrations.haystack import RerankLabRanker

The framework's retriever brings the candidates, so each takes the reranking stages alone, such as
"ms-marco-minilm-l12(top=50) >> mmr", or a Pipeline, whose first stage is left out.
"""
