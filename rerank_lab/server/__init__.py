"""The HTTP API: chosen pipelines behind rerank requests of Cohere's, Jina's and TEI's shapes."""
