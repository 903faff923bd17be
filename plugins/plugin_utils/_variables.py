# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to the collection: the variables that its roles take, and what a user gave instead."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.celeryops.cluster.plugins.plugin_utils._guesses import did_you_mean

_ROLES = Path(__file__).resolve().parents[2] / "roles"
_STRUCTURES = {"list": "a list", "dict": "a dictionary"}


@cache
def variable_types() -> dict[str, str]:
    """The type of each variable that the argument specs of the roles name."""
    specs = [
        yaml.safe_load(file.read_text(encoding="utf-8"))["argument_specs"]
        for file in _ROLES.glob("*/meta/argument_specs.yml")
    ]
    return {
        name: option.get("type", "str")
        for spec in specs
        for entry in spec.values()
        for name, option in entry.get("options", {}).items()
    }


def unknown_variables(names: Iterable[str], known: Iterable[str]) -> list[str]:
    """A sentence for each of `names` that is not in `known`, with the nearest one that is."""
    known = sorted(known)
    return [
        f"Unknown variable {name}{did_you_mean(name, known)}: correct its name or remove it."
        for name in sorted(names)
        if name not in known
    ]


def text_problems(values: Mapping[str, Any], types: Mapping[str, str]) -> list[str]:
    """A sentence for each list or dictionary that is text, which is what `-e name=value` gives."""
    return [
        f"{name} is the text '{value}' and has to be {_STRUCTURES[types[name]]}: "
        f"write it as YAML in the inventory, or as JSON after -e, such as -e '{{\"{name}\": …}}'."
        for name, value in sorted(values.items())
        if isinstance(value, str) and types.get(name) in _STRUCTURES
    ]


def structures(types: Mapping[str, str]) -> list[str]:
    """The names of the lists and dictionaries."""
    return [name for name, kind in types.items() if kind in _STRUCTURES]
