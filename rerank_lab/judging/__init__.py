"""Relevance judgments made in the lab: stored, pooled, assigned, agreed on, and turned into qrels.

Nothing here draws a screen or loads a model; pipelines arrive as runs.
"""
