"""The version of how model files are converted and run here."""

RECIPE = "3"
"""Part of every model's digest and of a converted model's place: changes whenever the way does."""
