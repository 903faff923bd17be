"""No task hides a failure or goes around the modules."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rules._files import step_files
from rules._model import Finding, Rule
from rules._steps import Step, steps

NAME = "forbidden"

_MODULES = ("command", "expect", "raw", "script", "shell")


def check(root: Path) -> list[Finding]:
    """Each use of a shell in place of a module, and each failure that is hidden."""
    return [
        Finding(path, step.line, NAME, f"'{step.label}' {fault}")
        for path in step_files(root)
        for step in steps(path)
        for fault in _faults(step)
    ]


def _faults(step: Step) -> Iterator[str]:
    if step.module in _MODULES:
        yield f"uses {step.module}: use a module, or allow it with a reason"
    if "ignore_errors" in step.keywords:
        yield "has ignore_errors: say which failure is none with failed_when"
    if step.keywords.get("failed_when") is False:
        yield "can't fail (failed_when: false): name the condition that is a failure"


RULE = Rule(NAME, step_files, check)
