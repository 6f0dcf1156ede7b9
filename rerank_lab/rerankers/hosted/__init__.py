"""Rerankers behind an HTTP API: rented ones, and servers of one's own."""
