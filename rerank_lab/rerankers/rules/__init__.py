"""Rerankers without a model: they reorder, filter or rescale by rules."""
