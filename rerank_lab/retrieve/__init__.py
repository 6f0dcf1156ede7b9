"""First stages, a module a family. The package itself makes a node, as `rl.retrieve` does."""

from __future__ import annotations

import sys

from rerank_lab.spec import NodePackage

sys.modules[__name__].__class__ = NodePackage
