"""Turning weights into ONNX graphs and checking them on probes."""
