"""Finding model files: catalogue, hub, folders, adapters. Nothing here runs a model."""
