"""Judgments in the files of other tools: read into rows for the store, and written from it."""
