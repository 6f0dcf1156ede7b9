"""Files in object storage and on the web: addresses, listing, reads that go on after a break.

What they hold is not looked into here; `rerank_lab.corpora.addresses` brings them to readers.
"""
