"""The repository speaks of the product, not of the machine on which it was written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from rules._files import repository_files
from rules._model import Finding, Rule

NAME = "wording"

# Kept in parts, so that this file passes its own rule.
_REGISTRIES = (
    ("crates", "io"),
    ("files", "pythonhosted", "org"),
    ("galaxy", "ansible", "com"),
    ("proxy", "golang", "org"),
    ("pypi", "org"),
    ("pypi", "python", "org"),
    ("registry", "npmjs", "org"),
    ("registry", "yarnpkg", "com"),
    ("rubygems", "org"),
)
_REGISTRY = re.compile(
    r"(?<![\w-])(" + "|".join(r"\.".join(parts) for parts in _REGISTRIES) + r")(?![\w-])"
)
# Users of documentation and of the test hosts.
_PLACEHOLDERS = ("<", "{", "$", "you/", "user/", "ops/")
_NOBODY = "|".join(map(re.escape, _PLACEHOLDERS))
_HOME = re.compile(r"(?<![\w.}/-])/(root/|home/(?!" + _NOBODY + "))")
_URL = re.compile(r"https?://")


def check(root: Path) -> list[Finding]:
    """Paths of a developer's machine, registries' hosts and addresses in lock files."""
    checkout = re.compile(r"(?<![\w./-])" + re.escape(str(root.resolve())) + r"(?![\w-])")
    return [
        Finding(path, line, NAME, fault)
        for path in repository_files(root)
        for line, text in _lines(path)
        for fault in _faults(path, text, checkout)
    ]


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """The numbered lines of a text file; none of a binary one."""
    try:
        yield from enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
    except UnicodeDecodeError:
        return


def _faults(path: Path, text: str, checkout: re.Pattern[str]) -> Iterator[str]:
    for pattern in (_HOME, checkout):
        if found := pattern.search(text):
            yield f"{found.group().rstrip('/')} is a path of somebody's machine: leave it out"
            break
    if found := _REGISTRY.search(text):
        yield f"{found.group()} is a package registry: users choose their own"
    if _is_lock(path) and _URL.search(text):
        yield "a lock file names addresses: pin versions without them"


def _is_lock(path: Path) -> bool:
    return path.suffix == ".lock" or "-lock." in path.name or path.name.startswith("requirements")


RULE = Rule(NAME, repository_files, check)
