"""Values, errors, specs and paths: what every room may use.

Nothing here knows a component or a model.
"""
