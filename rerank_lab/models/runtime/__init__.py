"""What every engine shares: devices, memory, batches, tokens, the request."""
