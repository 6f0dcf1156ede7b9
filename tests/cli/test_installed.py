"""What a person has who installed the wheel, and not a clone: samples, doctor, app."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rerank_lab.cli import main

ROOT = Path(__file__).parents[2]
PROGRAM = """
import sys
from rerank_lab.cli import main
from rerank_lab.cli.manage import app_script
from rerank_lab.core.paths import samples_home
script = app_script()
assert str(script).startswith(sys.argv[1]), script
assert script.is_file() and (script.parent / "pages" / "compare.py").is_file(), script
assert (script.parent / ".streamlit" / "config.toml").is_file()
assert (samples_home() / "helpdesk").is_dir()
sys.exit(main(["doctor", "--json"]))
"""


@pytest.mark.timeout(300)
def test_a_wheel_brings_samples_pages_and_a_passing_doctor(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for name in ("rerank_lab", "pages", "sample_corpora", ".streamlit"):
        shutil.copytree(ROOT / name, source / name)
    for name in ("app.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    prefix = tmp_path / "prefix"
    command = ["install", "-q", "--no-deps", "--no-build-isolation", "--ignore-installed"]
    subprocess.run(
        [sys.executable, "-m", "pip", *command, "--prefix", str(prefix), str(source)], check=True
    )
    place = next(prefix.rglob("site-packages"))
    environment = {"PYTHONPATH": str(place), "RERANK_LAB_HOME": str(tmp_path / "home")}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(prefix)],
        cwd=tmp_path,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    checks = {check["check"]: check for check in json.loads(done.stdout)["checks"]}
    assert checks["Corpora"]["detail"].startswith("3 samples")
    assert "numba" not in checks["Packages"]["detail"]


def test_json_stays_json_whatever_a_library_prints(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from rerank_lab.cli import doctor

    def noisy() -> doctor.Check:
        print("a library speaks")  # noqa: T201
        os.write(1, b"and so does its C code\n")
        return doctor.Check("torch", "ok", "")

    monkeypatch.setattr(doctor, "_torch", noisy)
    main(["doctor", "--json"])
    out, err = capfd.readouterr()
    assert json.loads(out)["checks"]
    assert "a library speaks" in err
    assert "C code" in err
