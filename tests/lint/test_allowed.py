"""The allow-list takes away exactly what it names, and says where it is wrong."""

from __future__ import annotations

from pathlib import Path

from rules._allowed import without_allowed
from rules._model import Finding

ENTRY = "- {{rule: forbidden, path: a.yml, says: {says}, reason: no module does it}}\n"


def left(tmp_path: Path, allowed: str) -> list[str]:
    """What is left of two findings, and what is said about the list."""
    listed = tmp_path / "allowed.yml"
    listed.write_text(allowed, encoding="utf-8")
    findings = [
        Finding(tmp_path / "a.yml", line, "forbidden", f"'{name}' uses command")
        for line, name in ((1, "one"), (2, "two"))
    ]
    return [found.shown(tmp_path) for found in without_allowed(findings, tmp_path, listed)]


def test_an_entry_takes_one_finding_away(tmp_path: Path) -> None:
    assert left(tmp_path, ENTRY.format(says="'''one'''")) == [
        "a.yml:2: forbidden: 'two' uses command"
    ]


def test_an_empty_list_takes_nothing_away(tmp_path: Path) -> None:
    assert len(left(tmp_path, "---\n[]\n")) == 2


def test_an_unused_entry_is_a_finding(tmp_path: Path) -> None:
    assert left(tmp_path, ENTRY.format(says="three"))[-1] == (
        "allowed.yml:1: allowed: the entry matches 0 findings instead of one: three"
    )


def test_an_entry_for_two_findings_is_a_finding(tmp_path: Path) -> None:
    found = left(tmp_path, ENTRY.format(says="uses command"))
    assert len(found) == 3
    assert "matches 2 findings instead of one" in found[-1]


def test_an_entry_without_a_reason_is_a_finding(tmp_path: Path) -> None:
    found = left(tmp_path, "- {rule: forbidden, path: a.yml, says: one, reason: ''}\n")
    assert len(found) == 3
    assert "an entry has rule, path, says, reason" in found[-1]
