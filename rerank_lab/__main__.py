"""`python -m rerank_lab` is `rerank-lab`."""

from __future__ import annotations

import sys

from rerank_lab.cli import main

if __name__ == "__main__":
    sys.exit(main())
