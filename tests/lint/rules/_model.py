"""What a rule is and what it says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple


class Finding(NamedTuple):
    """One fault: where it is, which rule it breaks and how to mend it, in one sentence."""

    path: Path
    line: int
    rule: str
    message: str

    def shown(self, root: Path) -> str:
        """The finding as a line of output, its path relative to `root`."""
        return f"{self.path.relative_to(root)}:{self.line}: {self.rule}: {self.message}"


class Rule(NamedTuple):
    """`check` reads the repository at a root; `files` names the files that it looks at there."""

    name: str
    files: Callable[[Path], list[Path]]
    check: Callable[[Path], list[Finding]]


class UnreadableError(Exception):
    """A file that a rule has to read isn't valid YAML or Jinja."""

    def __init__(self, path: Path, line: int, reason: str) -> None:
        super().__init__(f"{path}:{line}: {reason}")
        self.path = path
        self.line = line
        self.reason = reason
