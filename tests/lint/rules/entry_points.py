"""Roles are called by their full name, and every verb of a role that is called has a spec.

`tasks_from: drain.yml` would run without validation, so the name has no extension; a computed
name can't be checked.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rules._files import step_files
from rules._jinja import is_expression
from rules._model import Finding, Rule
from rules._roles import Role, roles
from rules._steps import COLLECTION, ROLE_INCLUDES, Step, steps
from rules._yaml import read_mapping

NAME = "entry-points"


def files(root: Path) -> list[Path]:
    """Everything that can call a role."""
    return [*step_files(root), *sorted(root.glob("roles/*/meta/main.yml"))]


def check(root: Path) -> list[Finding]:
    """Calls that name a role or a verb wrongly, and specs of verbs that don't exist."""
    known = {f"{COLLECTION}.{role.name}": role for role in roles(root)}
    findings = [
        Finding(path, step.line, NAME, message)
        for path in step_files(root)
        for step in steps(path)
        for message in _call_faults(step, known)
    ]
    for role in known.values():
        meta = role.path / "meta/main.yml"
        needed = read_mapping(meta).get("dependencies") or []
        names = [_role_name(entry) for entry in needed]
        findings += [
            Finding(meta, 1, NAME, fault) for name in names for fault in _name_faults(name, known)
        ]
        findings += _specs_without_tasks(role)
    return findings


def _call_faults(step: Step, known: dict[str, Role]) -> Iterator[str]:
    for entry in step.keywords.get("roles", []) if step.module is None else []:
        yield from _name_faults(_role_name(entry), known)
    if step.module not in ROLE_INCLUDES:
        return
    name = step.argument("name")
    yield from _name_faults(name, known)
    verb = step.argument("tasks_from")
    if verb is None or str(name) not in known:
        return
    if is_expression(verb):
        yield f"tasks_from is computed, so nobody can tell whether its spec exists: {verb}"
    elif str(verb).endswith((".yml", ".yaml")):
        yield f"tasks_from: {verb} skips the validation of arguments: drop the extension"
    elif verb not in known[str(name)].entry_points:
        yield f"{name} has no argument spec for {verb}: add the entry point"


def _role_name(entry: Any) -> Any:
    return entry.get("role", entry.get("name")) if isinstance(entry, dict) else entry


def _name_faults(name: Any, known: dict[str, Role]) -> Iterator[str]:
    if name not in known:
        yield f"{name} is no role of this collection: write {COLLECTION}.<role>"


def _specs_without_tasks(role: Role) -> Iterator[Finding]:
    for verb in role.entry_points:
        if not (role.path / f"tasks/{verb}.yml").is_file():
            line = role.entry_points.line_of(verb)
            message = f"{verb} has a spec but no tasks/{verb}.yml: drop one or add the other"
            yield Finding(role.specs_path, line, NAME, message)


RULE = Rule(NAME, files, check)
