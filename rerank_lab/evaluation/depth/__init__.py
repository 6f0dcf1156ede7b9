"""Quality, latency and cost of pipelines by the number of candidates."""
