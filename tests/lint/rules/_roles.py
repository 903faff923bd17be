"""Roles as they describe themselves: argument specs, defaults and private variables."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from rules._yaml import Mapping, read_mapping


class Option(NamedTuple):
    """A variable as one entry point of a role declares it."""

    name: str
    entry_point: str
    spec: Mapping
    line: int

    @property
    def required(self) -> bool:
        """Whether the caller has to give it."""
        return self.spec.get("required") is True

    @property
    def has_default(self) -> bool:
        """Whether the spec states a value for it."""
        return self.spec.get("default") is not None


class Role(NamedTuple):
    """A role; one whose name begins with `_` serves the others and has no public variables."""

    path: Path
    defaults: Mapping
    variables: Mapping
    entry_points: Mapping

    @property
    def name(self) -> str:
        """The role's name within the collection."""
        return self.path.name

    @property
    def private(self) -> bool:
        """Whether only other roles call it."""
        return self.name.startswith("_")

    @property
    def defaults_path(self) -> Path:
        """Where the defaults are."""
        return self.path / "defaults/main.yml"

    @property
    def specs_path(self) -> Path:
        """Where the argument specs are."""
        return self.path / "meta/argument_specs.yml"

    def options(self) -> Iterator[Option]:
        """The options of every entry point, `main` first, then in the order of the file."""
        for entry_point in sorted(self.entry_points, key=lambda name: name != "main"):
            yield from self.options_of(entry_point)

    def options_of(self, entry_point: str) -> Iterator[Option]:
        """The options of one entry point."""
        spec = self.entry_points.get(entry_point)
        options = spec.get("options") if isinstance(spec, Mapping) else None
        if isinstance(options, Mapping):
            for name, option in options.items():
                described = option if isinstance(option, Mapping) else Mapping()
                yield Option(name, entry_point, described, options.line_of(name))


def roles(root: Path) -> list[Role]:
    """The roles of the repository, by name."""
    return [_role(path) for path in sorted(root.glob("roles/*")) if path.is_dir()]


def specs_files(root: Path) -> list[Path]:
    """The argument specs and defaults of all roles."""
    pairs = ((role.specs_path, role.defaults_path) for role in roles(root))
    return [path for pair in pairs for path in pair if path.is_file()]


def _role(path: Path) -> Role:
    entry_points = read_mapping(path / "meta/argument_specs.yml").get("argument_specs")
    variables = Mapping()
    for file in sorted(path.glob("vars/**/*.yml")):
        variables.update(read_mapping(file))
    return Role(
        path,
        read_mapping(path / "defaults/main.yml"),
        variables,
        entry_points if isinstance(entry_points, Mapping) else Mapping(),
    )
