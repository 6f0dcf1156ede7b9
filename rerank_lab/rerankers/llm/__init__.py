"""Rerankers that ask a large language model: listwise, setwise, pairwise and pointwise."""
