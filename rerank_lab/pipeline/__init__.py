"""Pipelines: from a spec to stages that run. Nothing here judges results or shows them."""
