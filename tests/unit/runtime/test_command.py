"""A command of a release runs with what its workers would have."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import celeryops_runtime


def run(command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "celeryops_runtime.command"],
        check=False,
        text=True,
        capture_output=True,
        input=json.dumps({"command": command, "environment": environment}),
        env={**os.environ, "PYTHONPATH": str(Path(celeryops_runtime.__file__).parents[1])},
    )


def test_the_release_s_own_programs_come_first() -> None:
    done = run("""python -c "import os, sys; print(sys.prefix, os.environ['A'])" """, A="b c")
    assert done.stdout == f"{sys.prefix} b c\n"


def test_the_command_s_exit_code_counts() -> None:
    assert run("python -c 'raise SystemExit(3)'").returncode == 3


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("migrate-nothing --all", "No such file or directory"),
        ("python 'manage.py", "No closing quotation"),
    ],
)
def test_a_command_that_cannot_be_run(command: str, reason: str) -> None:
    done = run(command)
    assert done.returncode == 1
    assert done.stderr == f"{command!r} can't be run: {reason}\n"
