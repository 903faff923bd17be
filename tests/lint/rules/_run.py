"""Applying rules to a repository."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from rules._model import Finding, Rule, UnreadableError


def apply(rules: Iterable[Rule], root: Path) -> tuple[list[Finding], set[Path]]:
    """The findings of all rules, in order, and the files that were looked at.

    A rule that finds no file to look at is a finding, since it would never find anything.
    """
    findings: set[Finding] = set()
    looked_at: set[Path] = set()
    for rule in rules:
        try:
            files = rule.files(root)
            looked_at.update(files)
            findings.update(rule.check(root))
        except UnreadableError as error:
            findings.add(Finding(error.path, error.line, "unreadable", error.reason))
            continue
        if not files:
            findings.add(Finding(root, 1, rule.name, "no file to check: mend the rule or drop it"))
    return sorted(findings), looked_at
