"""From results to a decision: limits, gates, the frontier, what it costs, the report, what ships.

Nothing here runs a pipeline or draws a screen; it reads evaluations and what is known of pipelines.
"""
