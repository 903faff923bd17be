"""Which variables hold a secret: by their name, by their spec, or because they are made of one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from rules._files import product_step_files
from rules._jinja import Name, names_in_value
from rules._roles import Role, roles
from rules._steps import Step, steps
from rules._yaml import Mapping

_SECRET_WORDS = frozenset(
    {"credential", "credentials", "passphrase", "passwd", "password", "passwords"}
    | {"secret", "secrets", "token", "tokens"}
)
_SECRET_ENDINGS = ("_key", "broker_url", "backend_url", "result_backend")
# Names that end so speak about a secret without holding it.
_HARMLESS_ENDINGS = ("_dir", "_enabled", "_file", "_length", "_name", "_path", "_prefix", "_type")


def is_secret_name(name: str) -> bool:
    """Whether a variable or a key of that name holds a secret."""
    if name.endswith(_HARMLESS_ENDINGS):
        return False
    return name.endswith(_SECRET_ENDINGS) or not _SECRET_WORDS.isdisjoint(name.split("_"))


class Secrets(NamedTuple):
    """What is known of names beside what they say: variables that hold a secret, and paths."""

    variables: frozenset[str]
    paths: frozenset[str]

    def exposed(self, names: Iterable[Name]) -> list[str]:
        """The secrets among names whose values can be seen in the result."""
        return sorted({use.name for use in names if use.exposed and self._holds(use)})

    def _holds(self, use: Name) -> bool:
        if use.variable and use.name in self.variables:
            return True
        return is_secret_name(use.name) and use.name not in self.paths


def secrets_of(root: Path) -> Secrets:
    """The secrets of a repository: those that specs declare and all that is computed from one."""
    everyone = roles(root)
    options = [option for role in everyone for option in role.options()]
    paths = frozenset(option.name for option in options if option.spec.get("type") == "path")
    declared = frozenset(option.name for option in options if _declares(option.spec))
    definitions = [
        (name, list(names_in_value(path, value)))
        for path, name, value in _definitions(root, everyone)
    ]
    known = Secrets(declared, paths)
    while True:
        computed = {name for name, uses in definitions if known.exposed(uses)}
        if computed <= known.variables:
            return known
        known = Secrets(known.variables | computed, paths)


def _declares(spec: Mapping) -> bool:
    """Whether a spec says that its value is secret, or has a secret key within."""
    if spec.get("no_log") is True:
        return True
    inner = spec.get("options")
    if not isinstance(inner, Mapping):
        return False
    return any(
        is_secret_name(key) or (isinstance(option, Mapping) and _declares(option))
        for key, option in inner.items()
    )


def _definitions(root: Path, everyone: list[Role]) -> Iterator[tuple[Path, str, Any]]:
    for role in everyone:
        for name, value in role.defaults.items():
            yield role.defaults_path, name, value
        for name, value in role.variables.items():
            yield role.path / "vars", name, value
    for path in product_step_files(root):
        for step in steps(path):
            for name, value in given_variables(step).items():
                yield path, name, value


def given_variables(step: Step) -> dict[str, Any]:
    """The variables that a step sets."""
    given = dict(step.keywords.get("vars") or {})
    if step.module == "set_fact" and isinstance(step.arguments, dict):
        given.update(step.arguments)
    return given
