"""Every variable that is used is defined, every public one is used, and names tell their kind.

`celery_…` is public and in an argument spec; `_…` is private: in vars, given by `vars:`, or a
parameter of a verb; `__…` is a registered result. Facts are read from `ansible_facts['…']`, which
also works where they aren't injected as variables.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from rules._files import product_step_files, templates, variable_files
from rules._jinja import names_in_file
from rules._model import Finding, Rule
from rules._roles import Role, roles
from rules._secrets import given_variables
from rules._steps import Step, steps
from rules._yaml import texts

NAME = "variables"
FACTS_NAME = "facts"

_WORD = re.compile(r"\w+")
_CONNECTION = re.compile(
    r"ansible_(become|connection|docker|host|paramiko|password|port|private_key|python_interpreter"
    r"|remote_tmp|scp|sftp|shell|ssh|timeout|user)(_\w+)?"
)
# What Ansible itself defines, facts or not.
_MAGIC = re.compile(
    r"ansible_(check_mode|collection_name|config_file|dependent_role_names|diff_mode|facts"
    r"|failed_result|failed_task|forks|index_var|inventory_sources|limit|loop|loop_var|managed"
    r"|parent_role_names|parent_role_paths|play_batch|play_hosts|play_hosts_all|play_name"
    r"|play_role_names|playbook_python|role_name|role_names|run_tags|search_path|skip_tags"
    r"|verbosity|version)"
)


def files(root: Path) -> list[Path]:
    """Everything of the product that uses variables."""
    return [*product_step_files(root), *variable_files(root), *templates(root)]


def check(root: Path) -> list[Finding]:
    """Names that nobody defines, that nobody uses, and that are of the wrong kind."""
    everyone = roles(root)
    known = _known(root, everyone)
    findings = [
        Finding(path, use.line, NAME, f"{use.name} is defined nowhere: correct or declare it")
        for path in files(root)
        for use in names_in_file(path)
        if use.variable and _is_ours(use.name) and use.name not in known
    ]
    findings += [
        Finding(path, step.line, NAME, fault)
        for path in product_step_files(root)
        for step in steps(path)
        for fault in _kind_faults(step, known)
    ]
    return findings + [finding for role in everyone for finding in _unused(root, role)]


def check_facts(root: Path) -> list[Finding]:
    """Facts that are read as variables of their own."""
    return [
        Finding(path, use.line, FACTS_NAME, f"read {use.name} from ansible_facts instead")
        for path in files(root)
        for use in names_in_file(path)
        if use.variable and use.name.startswith("ansible_") and not _is_ansibles(use.name)
    ]


def _is_ours(name: str) -> bool:
    return name.startswith(("celery_", "_"))


def _is_ansibles(name: str) -> bool:
    return any(known.fullmatch(name) for known in (_MAGIC, _CONNECTION))


def _known(root: Path, everyone: list[Role]) -> set[str]:
    known = {option.name for role in everyone for option in role.options()}
    for role in everyone:
        known |= role.variables.keys()
    for path in product_step_files(root):
        for step in steps(path):
            known |= {name for name in _made(step) if not name.startswith("celery_")}
            # A play may bring public variables of its own; a task may not.
            if step.parent is None and "hosts" in step.keywords:
                known |= set(step.keywords.get("vars") or {})
    return known


def _made(step: Step) -> Iterator[str]:
    """The names that a step brings into being."""
    yield from given_variables(step)
    if "register" in step.keywords:
        yield str(step.keywords["register"])
    control = step.keywords.get("loop_control") or {}
    yield from (str(control[key]) for key in ("loop_var", "index_var") if key in control)


def _kind_faults(step: Step, known: set[str]) -> Iterator[str]:
    registered = str(step.keywords.get("register", "__"))
    if not registered.startswith("__"):
        yield f"register {registered} under a name that begins with __"
    if step.module == "set_fact" and isinstance(step.arguments, dict):
        for name in step.arguments:
            if not name.startswith("_") and name != "cacheable":
                yield f"set_fact changes {name}, which others own: begin the name with _"
    for name in step.keywords.get("vars") or {}:
        if _is_ours(name) and name not in known:
            yield f"{name} is given here but defined nowhere: correct or declare it"


def _unused(root: Path, role: Role) -> Iterator[Finding]:
    """Options that neither the role nor what it shares with others mentions."""
    used = _words(root, role)
    declared: set[str] = set()
    for option in role.options():
        if option.name not in used and option.name not in declared:
            message = f"{option.name} is described here but nothing of the role uses it: drop it"
            yield Finding(role.specs_path, option.line, NAME, message)
        declared.add(option.name)


def _words(root: Path, role: Role) -> set[str]:
    shared = [*root.glob("roles/_*/*/**/*"), *root.glob("playbooks/**/*"), *templates(root)]
    own = [*role.path.glob("*/**/*")]
    words = set(_WORD.findall(" ".join(texts(role.defaults))))
    for path in {*shared, *own}:
        if path.is_file() and path.suffix in (".yml", ".j2") and _uses_variables(path):
            words |= set(_WORD.findall(path.read_text(encoding="utf-8")))
    return words


def _uses_variables(path: Path) -> bool:
    return path.parent.name not in ("defaults", "meta")


RULES = (Rule(NAME, files, check), Rule(FACTS_NAME, files, check_facts))
