"""First stages, a module each. They search a corpus and know nothing of rerankers."""
