"""Where the repository keeps what."""

from __future__ import annotations

import subprocess
from pathlib import Path

from rules._yaml import read

_STEPS = (
    "roles/*/tasks/**/*.yml",
    "roles/*/handlers/**/*.yml",
    "playbooks/**/*.yml",
    "molecule/**/*.yml",
    "tests/rig/**/*.yml",
    "tests/integration/**/*.yml",
)
_VARIABLES = ("roles/*/defaults/**/*.yml", "roles/*/vars/**/*.yml")
_TEMPLATES = ("roles/*/templates/**/*.j2", "templates/**/*.j2")


def _matching(root: Path, patterns: tuple[str, ...]) -> list[Path]:
    return sorted({path for pattern in patterns for path in root.glob(pattern) if path.is_file()})


def step_files(root: Path) -> list[Path]:
    """Files of plays, tasks or handlers: the YAML files there whose top level is a list."""
    return [path for path in _matching(root, _STEPS) if isinstance(read(path), list)]


def product_step_files(root: Path) -> list[Path]:
    """The step files that users run: those of roles and playbooks."""
    parts = (root / "roles", root / "playbooks")
    return [path for path in step_files(root) if any(path.is_relative_to(part) for part in parts)]


def task_files(root: Path) -> list[Path]:
    """The task files of roles."""
    return _matching(root, ("roles/*/tasks/**/*.yml",))


def playbooks(root: Path) -> list[Path]:
    """What `ansible-playbook celeryops.cluster.<name>` runs."""
    return _matching(root, ("playbooks/*.yml",))


def variable_files(root: Path) -> list[Path]:
    """The defaults and vars of roles."""
    return _matching(root, _VARIABLES)


def templates(root: Path) -> list[Path]:
    """Every template, of a role or shared."""
    return _matching(root, _TEMPLATES)


def modules(root: Path) -> list[Path]:
    """The modules of the collection."""
    return [path for path in _matching(root, ("plugins/modules/*.py",)) if path.stem != "__init__"]


def repository_files(root: Path) -> list[Path]:
    """Every file that git tracks or would track."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        check=True,
        capture_output=True,
        text=True,
    )
    names = {name for name in listed.stdout.split("\0") if name}
    return sorted(root / name for name in names if (root / name).is_file())
