"""Readers of queries, relevance judgments and runs: one module a shape of file.

They give plain rows. Which ids are known, and which judgments may stand, is decided above, in
`corpora.judged`; no reader opens a second file.
"""
