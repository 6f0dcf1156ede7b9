"""The registry of components, their options, and the catalogue of models.

No component lives here.
"""
