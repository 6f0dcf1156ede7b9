"""The arena: two pipelines, one query, a blind vote; and what the votes say of the pipelines.

Pure: votes and rankings in, values out. Nothing here depends on the order in which votes arrive,
but for the verdict, which reads the times that stand in the votes.
"""
