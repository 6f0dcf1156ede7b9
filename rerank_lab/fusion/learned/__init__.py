"""Learning to rank: named features, the learners, kept models, and the stage that uses one.

Training from judgments is in `rerank_lab.learning`.
"""
