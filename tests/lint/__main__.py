"""Checks the repository by the project's own rules: `python tests/lint`."""

from __future__ import annotations

import sys
from pathlib import Path

from rules import RULES
from rules._allowed import without_allowed
from rules._run import apply

ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    """Prints the findings and what was checked; 1 where something was found."""
    found, files = apply(RULES, ROOT)
    findings = without_allowed(found, ROOT, Path(__file__).with_name("allowed.yml"))
    for finding in findings:
        print(finding.shown(ROOT))
    print(f"{len(RULES)} rules, {len(files)} files: {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
