"""Plays, blocks and tasks, read one by one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible.playbook.block import Block
from ansible.playbook.handler import Handler

from rules._yaml import Mapping, read

COLLECTION = "celeryops.cluster"
ROLE_INCLUDES = ("include_role", "import_role")

_SECTIONS = ("pre_tasks", "tasks", "post_tasks", "handlers", "block", "rescue", "always")
_TASK_KEYWORDS = frozenset(Handler.fattributes) | frozenset(Block.fattributes)


@dataclass(frozen=True)
class Step:
    """A play, a block or a task; `module` is None but for a task, and bare for ansible.builtin."""

    path: Path
    keywords: Mapping
    parent: Step | None
    module: str | None
    arguments: Any

    @property
    def line(self) -> int:
        """Where the step begins."""
        return self.keywords.line

    @property
    def label(self) -> str:
        """What a person calls the step."""
        return str(self.keywords.get("name") or self.module or "unnamed")

    def argument(self, name: str) -> Any:
        """An argument of the task's module, or None."""
        return self.arguments.get(name) if isinstance(self.arguments, dict) else None

    def inherited(self, keyword: str) -> Any:
        """The nearest value of a keyword: the step's own, its block's, its play's, or None."""
        if keyword in self.keywords:
            return self.keywords[keyword]
        return self.parent.inherited(keyword) if self.parent else None


def steps(path: Path) -> Iterator[Step]:
    """Every play, block and task of a file, parents first."""
    yield from _walk(path, read(path), None)


def _walk(path: Path, items: Any, parent: Step | None) -> Iterator[Step]:
    for keywords in items if isinstance(items, list) else []:
        if not isinstance(keywords, Mapping):
            continue
        module, arguments = _action(keywords)
        step = Step(path, keywords, parent, module, arguments)
        yield step
        for section in _SECTIONS:
            yield from _walk(path, keywords.get(section), step)


def _action(keywords: Mapping) -> tuple[str | None, Any]:
    if "hosts" in keywords or "block" in keywords:
        return None, None
    for old_form in ("action", "local_action"):
        if old_form in keywords:
            value = keywords[old_form]
            name = value.get("module", "") if isinstance(value, dict) else str(value).split()[0]
            return _bare(name), value
    for key, value in keywords.items():
        if key not in _TASK_KEYWORDS and not key.startswith("with_"):
            return _bare(key), value
    return None, None


def _bare(module: str) -> str:
    return module.removeprefix("ansible.builtin.").removeprefix("ansible.legacy.")
