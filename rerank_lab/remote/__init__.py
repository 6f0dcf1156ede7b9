"""What every call over the network shares: addresses, keys, limits, retries, failures.

Hosted rerankers and language models both stand on it. `providers.toml` is the dated data.
"""
