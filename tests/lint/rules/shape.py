"""Every role is the same role."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rules._files import task_files
from rules._jinja import is_expression
from rules._model import Finding, Rule
from rules._roles import Role, roles
from rules._steps import steps

NAME = "shape"

_FILES = ("meta/argument_specs.yml", "meta/main.yml", "tasks/main.yml")
_PUBLIC_FILES = ("defaults/main.yml",)
_PLACES = ("meta", "molecule", "playbooks", "roles", "templates")


def files(root: Path) -> list[Path]:
    """Everything that lies in a role, a playbook or a scenario."""
    found = (path for place in _PLACES for path in (root / place).rglob("*"))
    return sorted(path for path in found if path.is_file() and "__pycache__" not in path.parts)


def check(root: Path) -> list[Finding]:
    """Files that a role lacks, and names that have another extension than the rest."""
    findings = [
        Finding(role.path / name, 1, NAME, f"the role {role.name} has no {name}: add it")
        for role in roles(root)
        for name in _required(role)
        if not (role.path / name).is_file()
    ]
    findings += _unplaced(root)
    return findings + [
        Finding(path, 1, NAME, "rename it to .yml, as all others are")
        for path in files(root)
        if path.suffix == ".yaml" or path.name.endswith(".yaml.j2")
    ]


def _unplaced(root: Path) -> Iterator[Finding]:
    """Included files for which Ansible would take a playbook of that name: it looks there first."""
    for path in task_files(root):
        folder = root / Path(*path.relative_to(root).parts[:3])
        for step in steps(path):
            file = step.argument("file") or step.arguments
            if step.module != "include_tasks" or is_expression(file) or (folder / file).is_file():
                continue
            message = f"include_tasks: {file} isn't there: write its path from tasks on"
            yield Finding(path, step.line, NAME, message)


def _required(role: Role) -> tuple[str, ...]:
    return _FILES if role.private else _FILES + _PUBLIC_FILES


RULE = Rule(NAME, files, check)
