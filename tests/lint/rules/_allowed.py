"""The findings that stay, each with a reason: allowed.yml."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rules._model import Finding
from rules._yaml import Mapping, read

NAME = "allowed"

_KEYS = ("rule", "path", "says", "reason")


def without_allowed(findings: list[Finding], root: Path, listed: Path) -> list[Finding]:
    """The findings that `listed` doesn't allow, and those about `listed` itself.

    An entry stands for exactly one finding: of `rule`, at `path`, with `says` in its message.
    """
    left = list(findings)
    for entry in read(listed) or []:
        fault = _entry_fault(entry)
        matching = [] if fault else [found for found in findings if _matches(entry, found, root)]
        if not fault and len(matching) != 1:
            fault = f"the entry matches {len(matching)} findings instead of one: {entry['says']}"
        if fault:
            line = entry.line if isinstance(entry, Mapping) else 1
            left.append(Finding(listed, line, NAME, fault))
        else:
            left.remove(matching[0])
    return left


def _entry_fault(entry: Any) -> str | None:
    if not isinstance(entry, Mapping) or set(entry) != set(_KEYS) or not all(entry.values()):
        return f"an entry has {', '.join(_KEYS)}, each with a text"
    return None


def _matches(entry: Mapping, finding: Finding, root: Path) -> bool:
    path = finding.path.relative_to(root).as_posix()
    return (
        entry["rule"] == finding.rule and entry["path"] == path and entry["says"] in finding.message
    )
