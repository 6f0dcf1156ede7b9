"""Plotly figures from view models. No result is computed here."""
