"""Where models compute, and in which number format."""

from __future__ import annotations

import subprocess
import sys

from rerank_lab.models.runtime.device import torch_dtype


def test_a_cpu_stays_exact() -> None:
    assert torch_dtype("cpu") == "float32"
    assert torch_dtype("cuda") == "bfloat16"


def test_asking_for_the_cpu_loads_no_torch() -> None:
    code = (
        "import sys; from rerank_lab.models.runtime.device import choose_device; "
        "print(choose_device('cpu'), 'torch' in sys.modules)"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert shown.stdout == "cpu False\n", shown.stderr
