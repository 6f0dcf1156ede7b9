"""The same rerankers over several first stages."""
