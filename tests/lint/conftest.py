"""Lets the tests import the rules and the generator, and gives them a repository."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(_ROOT / "tests/lint"), str(_ROOT / "docs")]


@pytest.fixture
def make_repository(tmp_path: Path) -> Callable[[dict[str, str]], Path]:
    """Writes files, by their paths, into a new git repository and returns its root."""

    def make(files: dict[str, str]) -> Path:
        subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return tmp_path

    return make
