"""Latency and throughput of a pipeline under load: queries arrive whether or not it is ready.

Only measured times enter: no score cache, no kept results of earlier queries.
"""
