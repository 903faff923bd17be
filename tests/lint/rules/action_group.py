"""`module_defaults: {group/celeryops.cluster.celery: …}` reaches every module."""

from __future__ import annotations

from pathlib import Path

from rules._files import modules
from rules._model import Finding, Rule
from rules._yaml import Mapping, read_mapping

NAME = "action-group"
GROUP = "celery"


def check(root: Path) -> list[Finding]:
    """Modules that the action group lacks, and names in it that are no module."""
    path = root / "meta/runtime.yml"
    groups = read_mapping(path).get("action_groups")
    listed = groups.get(GROUP) if isinstance(groups, Mapping) else None
    line = groups.line_of(GROUP) if isinstance(groups, Mapping) else 1
    names = {str(name) for name in listed or []}
    existing = {module.stem for module in modules(root)}
    faults = [f"{name} isn't in action_groups.{GROUP}" for name in existing - names]
    faults += [f"{name} is in action_groups.{GROUP} but no module" for name in names - existing]
    return [Finding(path, line, NAME, fault) for fault in sorted(faults)]


RULE = Rule(NAME, modules, check)
