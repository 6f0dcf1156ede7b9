"""Robustness: what small changes of queries and documents do to the rankings of pipelines."""
