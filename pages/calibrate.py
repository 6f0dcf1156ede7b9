"""Calibrate: what a score is worth, and a threshold on it."""

from __future__ import annotations

from rerank_lab.ui.calibrate import page as calibrate

calibrate.page()
