"""A report as a value, and how it becomes one self-contained HTML file or Markdown.

What a report says is made in `rerank_lab.views.report`; nothing here knows an evaluation.
"""
