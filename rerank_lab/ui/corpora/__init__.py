"""The page Corpora."""
