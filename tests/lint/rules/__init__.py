"""The rules that no public linter knows; each module has one concern."""

from __future__ import annotations

from rules import (
    action_group,
    claims,
    entry_points,
    forbidden,
    secrets,
    shape,
    sizes,
    specs,
    variables,
    wording,
)

RULES = (
    specs.RULE,
    entry_points.RULE,
    forbidden.RULE,
    *secrets.RULES,
    sizes.RULE,
    action_group.RULE,
    claims.RULE,
    *variables.RULES,
    shape.RULE,
    wording.RULE,
)
