"""Every file fits into a reader's head."""

from __future__ import annotations

from pathlib import Path

from rules._files import modules, playbooks, task_files, templates
from rules._model import Finding, Rule

NAME = "sizes"

# Lines, documentation and comments included.
_LIMITS = ((task_files, 100), (modules, 400), (templates, 80), (playbooks, 150))


def files(root: Path) -> list[Path]:
    """Everything that has a limit."""
    return [path for kind, _ in _LIMITS for path in kind(root)]


def check(root: Path) -> list[Finding]:
    """The files that are longer than their kind may be."""
    return [
        Finding(path, limit + 1, NAME, f"{lines} lines, at most {limit} may be: split it")
        for kind, limit in _LIMITS
        for path in kind(root)
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > limit
    ]


RULE = Rule(NAME, files, check)
