"""No secret reaches a unit file, a diff or the log.

`systemctl show` gives a unit file to everybody, so secrets stand in files that units read. A task
that writes such a file has `diff: false` or `no_log: true`; one whose arguments or loop hold the
secret itself has `no_log: true`, since Ansible shows both.

A name tells whether it holds a secret (`…_password`, `…_token`, `…_key`, `broker_url`), or whether
it only speaks of one (`…_key_file`, `…_secret_name`); `_secrets.py` has the lists. An option of
`type: path` holds none. A variable that is computed from a secret holds it too, unless only a test,
a length or a hash of it is taken.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rules._files import product_step_files, templates
from rules._jinja import Name, included_templates, is_expression, names_in_file, names_in_value
from rules._model import Finding, Rule
from rules._roles import Role, roles
from rules._secrets import Secrets, secrets_of
from rules._steps import Step, steps
from rules._yaml import Text, texts

UNIT_NAME = "unit-secrets"
LOG_NAME = "logged-secrets"

_UNIT_SUFFIXES = (".mount.j2", ".path.j2", ".service.j2", ".socket.j2", ".timer.j2")
# Ansible shows the arguments of these.
_SHOWN = (
    "assert",
    "blockinfile",
    "community.general.ini_file",
    "debug",
    "fail",
    "lineinfile",
    "replace",
    "set_fact",
    "uri",
)


def unit_files(root: Path) -> list[Path]:
    """The templates of systemd units, of what lies beside them and of what they include."""
    units = (
        path
        for path in templates(root)
        if path.name.endswith(_UNIT_SUFFIXES) or "systemd" in path.relative_to(root).parts
    )
    return sorted({path for unit in units for path in _with_included(root, unit)})


def check_units(root: Path) -> list[Finding]:
    """Unit files that show a secret."""
    secrets = secrets_of(root)
    findings = []
    for path in unit_files(root):
        for use in names_in_file(path):
            if secrets.exposed([use]):
                message = f"a unit file shows {use.name}: put it into an environment file"
                findings.append(Finding(path, use.line, UNIT_NAME, message))
    return findings


def check_log(root: Path) -> list[Finding]:
    """Tasks that show a secret in a diff or in the log."""
    secrets = secrets_of(root)
    everyone = {role.path: role for role in roles(root)}
    findings = []
    for path in product_step_files(root):
        role = everyone.get(_role_path(root, path))
        for step in steps(path):
            if step.module is not None and not _silent(step):
                findings += [
                    Finding(path, step.line, LOG_NAME, f"'{step.label}' {fault}")
                    for fault in _faults(root, step, role, secrets)
                ]
    return findings


def _role_path(root: Path, path: Path) -> Path:
    return root.joinpath(*path.relative_to(root).parts[:2])


def _silent(step: Step) -> bool:
    return step.inherited("no_log") not in (None, False)


def _faults(root: Path, step: Step, role: Role | None, secrets: Secrets) -> Iterator[str]:
    looped = secrets.exposed(_names(step, step.keywords.get("loop")))
    if looped:
        yield f"loops over {', '.join(looped)}, which Ansible shows: add no_log: true"
    if step.module in _SHOWN:
        shown = secrets.exposed(_names(step, step.arguments))
        if shown:
            yield f"shows {', '.join(shown)}: add no_log: true"
    if step.inherited("diff") not in (None, True):
        return
    if step.module == "template" and None in _rendered(root, step, role):
        yield "takes a template that isn't there, or that only its caller knows: add diff: false"
    written = secrets.exposed(_written(root, step, role))
    if written:
        yield f"writes {', '.join(written)}: add diff: false"


def _written(root: Path, step: Step, role: Role | None) -> list[Name]:
    """The names in what a task writes into a file."""
    if step.module == "copy":
        return _names(step, step.argument("content"))
    if step.module != "template":
        return []
    found = (path for path in _rendered(root, step, role) if path is not None)
    paths = {path for template in found for path in _with_included(root, template)}
    return [name for path in sorted(paths) for name in names_in_file(path)]


def _rendered(root: Path, step: Step, role: Role | None) -> list[Path | None]:
    """The templates that a task may render; None stands for one that can't be found."""
    return [_template(root, step, source) for source in _sources(step, role)] or [None]


def _names(step: Step, value: Any) -> list[Name]:
    return list(names_in_value(step.path, value))


def _sources(step: Step, role: Role | None) -> Iterator[str]:
    """The templates that a task may render: named in `src`, in the loop or in a variable there."""
    values = [*texts(step.argument("src")), *texts(step.keywords.get("loop"))]
    for value in values:
        if value.endswith(".j2"):
            yield value
        elif role is not None and is_expression(value):
            yield from _named_in_variables(step, role, value)


def _named_in_variables(step: Step, role: Role, value: Text) -> Iterator[str]:
    for use in names_in_value(step.path, value):
        defined = role.defaults.get(use.name, role.variables.get(use.name))
        yield from (text for text in texts(defined) if text.endswith(".j2"))


def _template(root: Path, step: Step, source: str) -> Path | None:
    """The file that a template's name means; a directory that is computed is left out."""
    name = source.rpartition("}}")[2].lstrip("/")
    places = [_role_path(root, step.path) / "templates", root / "templates"]
    return _first_file(places, name)


def _with_included(root: Path, template: Path) -> set[Path]:
    """A template and all that it includes."""
    seen: set[Path] = set()
    waiting = [template]
    while waiting:
        path = waiting.pop()
        if path not in seen:
            seen.add(path)
            places = [path.parent, _role_path(root, path) / "templates", root / "templates"]
            found = [_first_file(places, name) for name in included_templates(path)]
            waiting += [file for file in found if file is not None]
    return seen


def _first_file(places: list[Path], name: str) -> Path | None:
    return next((place / name for place in places if (place / name).is_file()), None)


RULES = (
    Rule(UNIT_NAME, unit_files, check_units),
    Rule(LOG_NAME, product_step_files, check_log),
)
