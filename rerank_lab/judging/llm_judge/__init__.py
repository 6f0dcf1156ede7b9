"""A language model as a judge: prompts, strict reading of its answers, and how far it is trusted.

Its labels stand under its own name. They enter qrels only after it was compared with people.
"""
