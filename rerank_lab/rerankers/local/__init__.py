"""Rerankers that run a local model. How a model is found and run is the business of models."""
