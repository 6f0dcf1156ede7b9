"""Measures, statistics, calibration and experiments over pipelines."""
