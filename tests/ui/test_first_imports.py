"""What the first page needs is imported by one thread, and pages wait for it."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import sys, threading
from rerank_lab.ui import first_imports
assert "streamlit" not in sys.modules
first_imports.begin()
pages = [threading.Thread(target=first_imports.finish) for _ in range(4)]
for page in pages: page.start()
for page in pages: page.join()
assert "rerank_lab.ui.compare.page" in sys.modules
assert "pandas" in sys.modules
print("imported")
"""


def test_pages_that_come_at_once_wait_for_one_import() -> None:
    command = [sys.executable, "-W", "error", "-c", SCRIPT]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.stdout == "imported\n", done.stderr
