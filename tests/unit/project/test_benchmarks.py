"""Benchmarks are run by hand and seldom: at least each one starts as its first lines say."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[3] / "benchmarks"
PROGRAMS = sorted(path.name for path in FOLDER.glob("*.py") if "\ndef main(" in path.read_text())


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_benchmark_starts_as_it_says(name: str) -> None:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        [FOLDER / name, "--help"], env={**os.environ, "PATH": path}, capture_output=True, text=True, check=True
    )
    assert f"benchmarks/{name} " in done.stdout.split("options:")[0]
