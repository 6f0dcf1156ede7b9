"""Retrieval-augmented generation: what a pipeline puts before a language model, and to what end."""
