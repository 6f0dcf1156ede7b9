"""Fusion of rankings: by rank, by weighted scores, or learned.

A fusion runs no model of its own.
"""
