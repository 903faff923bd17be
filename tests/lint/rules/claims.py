"""What docs/control.md and the runbooks claim is held by tests that exist.

In tables whose last column is headed "Test", it names them, comma after comma: `target <path below
the targets>`, or a file with or without `::test`, found below the first of the folders that the
page names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from rules._model import Finding, Rule

NAME = "claims"

_TARGETS = "tests/integration/targets"
_UNITS = "tests/unit/plugins/module_utils"
_FOLDERS = ("tests/integration", "", f"{_UNITS}", f"{_UNITS}/tasks")
_HEADING = "Test"


def files(root: Path) -> list[Path]:
    """The pages of claims."""
    return [*root.glob("docs/control.md"), *root.glob("docs/runbooks/*.md")]


def check(root: Path) -> list[Finding]:
    """Tests that are named and aren't there."""
    return [
        Finding(page, number, NAME, f"there is no test '{name}': correct it, or write the test")
        for page in files(root)
        for number, cell in _claims(page.read_text(encoding="utf-8"))
        for name in _named(cell)
        if not _exists(root, name)
    ]


def _claims(text: str) -> Iterator[tuple[int, str]]:
    """The lines of the tables of claims: their number, and their last cell."""
    heading = ""
    for number, line in enumerate(text.splitlines(), 1):
        if not line.startswith("|"):
            heading = ""
            continue
        cell = line.split("|")[-2].strip()
        heading = heading or cell
        if heading == _HEADING and cell != _HEADING and cell.strip("-"):
            yield number, cell


def _named(cell: str) -> Iterator[str]:
    file = ""
    for name in cell.split(", "):
        # "::test_b" stands in the file of the name before it.
        file = name.partition("::")[0] or file
        yield file + name if name.startswith("::") else name


def _exists(root: Path, name: str) -> bool:
    if name.startswith("target "):
        return (root / _TARGETS / name.removeprefix("target ")).exists()
    file, _, test = name.partition("::")
    paths = [root / folder / file for folder in _FOLDERS]
    return any(
        path.is_file() and (not test or re.search(rf"\bdef {test}\b", path.read_text("utf-8")))
        for path in paths
    )


RULE = Rule(NAME, files, check)
