"""Readers of corpora: one module a shape of file, each registered by entry point.

A reader turns the bytes of one source into rows. What rows become (documents, ids, passages) is
decided above, in `mapping` and `bundle`; no reader stores anything or opens a second file.
"""
