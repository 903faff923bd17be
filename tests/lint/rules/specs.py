"""A role's argument specs and its defaults say the same.

What a role's author does, for each option of `main` and each parameter (`_name`) of a verb:

| in meta/argument_specs.yml   | in defaults/main.yml                           |
|------------------------------|------------------------------------------------|
| `required: true`             | not there                                      |
| `default: <value>`           | the same value                                 |
| neither                      | `null`, or an expression that computes a value |

No spec holds an expression: Ansible would compute it while it validates the role.
A public variable begins with `celery_<role>_`, or several roles share it, and then they give it
the same type and the same default. One of the whole cluster, such as `celery_settings`, belongs to
the role `app`. A verb takes public variables and its own parameters.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rules._jinja import is_computed, is_expression
from rules._model import Finding, Rule
from rules._roles import Option, Role, roles, specs_files
from rules._yaml import Mapping, texts

NAME = "specs"
MOST_SHARED = 20

_TYPES: dict[str, tuple[type, ...]] = {
    "bool": (bool,),
    "bits": (int, str),
    "bytes": (int, str),
    "dict": (dict,),
    "float": (float, int),
    "int": (int,),
    "json": (str, dict, list),
    "jsonarg": (str, dict, list),
    "list": (list,),
    "path": (str,),
    "raw": (object,),
    "str": (str,),
}


def check(root: Path) -> list[Finding]:
    """Every way in which specs, defaults and each other differ."""
    everyone = roles(root)
    owners = _owners(everyone)
    findings = [finding for role in everyone for finding in _check_role(role, owners)]
    return findings + _differing(everyone) + _too_many_shared(everyone, owners)


def _owners(everyone: list[Role]) -> dict[str, set[str]]:
    """The roles whose `main` declares a public variable, by its name."""
    owners: dict[str, set[str]] = {}
    for role in everyone:
        for option in role.options_of("main"):
            if not role.private:
                owners.setdefault(option.name, set()).add(role.name)
    return owners


def _check_role(role: Role, owners: dict[str, set[str]]) -> Iterator[Finding]:
    if "main" not in role.entry_points:
        yield Finding(role.specs_path, 1, NAME, f"{role.name} has no spec for main: add it")
    for entry_point, spec in role.entry_points.items():
        line = role.entry_points.line_of(entry_point)
        if not isinstance(spec, Mapping) or not spec.get("short_description"):
            yield Finding(role.specs_path, line, NAME, f"{entry_point} needs a short_description")
    for text in texts(role.entry_points):
        if is_expression(text):
            message = "a spec holds no expression, since Ansible computes it before the role runs"
            yield Finding(role.specs_path, text.line, NAME, message)
    declared: dict[str, Option] = {}
    for option in role.options():
        declared.setdefault(option.name, option)
        for message in (*_naming(role, option, owners), *_form(option.name, option.spec)):
            yield Finding(role.specs_path, option.line, NAME, f"{option.entry_point}: {message}")
    for option in declared.values():
        if option.entry_point == "main" or option.name.startswith("_"):
            for message in _default_faults(option, role.defaults):
                line = role.defaults.line_of(option.name)
                yield Finding(role.defaults_path, line, NAME, message)
    for name in role.defaults.keys() - declared.keys():
        message = f"{name} is in no argument spec: describe it there, or move it to vars"
        yield Finding(role.defaults_path, role.defaults.line_of(name), NAME, message)


def _naming(role: Role, option: Option, owners: dict[str, set[str]]) -> Iterator[str]:
    name = option.name
    if role.private:
        if not name.startswith(f"{role.name}_"):
            yield f"{name} belongs to a role that others call: begin it with {role.name}_"
    elif option.entry_point != "main":
        if not name.startswith("_") and name not in owners:
            yield f"{name} is no role's variable: begin a verb's own parameter with _"
    elif not name.startswith("celery_"):
        yield f"{name} is public: begin it with celery_{role.name}_"
    elif len(owners[name]) == 1 and _owner(name, owners) != role.name:
        yield f"{name} is used by this role alone: begin it with celery_{role.name}_"


def _owner(name: str, owners: dict[str, set[str]]) -> str:
    """The role whose name a public variable bears; one that bears none is the whole cluster's."""
    everyone = set().union(*owners.values())
    return next((role for role in everyone if name.startswith(f"celery_{role}_")), "app")


def _form(name: str, spec: Mapping) -> Iterator[str]:
    """What an option, or one within it, lacks or gets wrong."""
    kind = spec.get("type")
    if not spec.get("description"):
        yield f"{name} needs a description"
    if kind not in _TYPES:
        yield f"{name} needs a type, one of {', '.join(_TYPES)}"
    if kind == "list" and not spec.get("elements"):
        yield f"{name} is a list and needs elements, the type of its items"
    if spec.get("required") is True and spec.get("default") is not None:
        yield f"{name} is required and has a default: drop one of them"
    inner = spec.get("options")
    if isinstance(inner, Mapping):
        for key, option in inner.items():
            described = option if isinstance(option, Mapping) else Mapping()
            yield from _form(f"{name}.{key}", described)
            if "default" in described:
                yield f"{name}.{key} states a default, which Ansible won't apply: describe it"


def _default_faults(option: Option, defaults: Mapping) -> Iterator[str]:
    name, value = option.name, defaults.get(option.name)
    if option.required:
        if name in defaults:
            yield f"{name} is required by its spec, so it has no place in the defaults"
    elif name not in defaults:
        wanted = json.dumps(option.spec.get("default"), default=str)
        yield f"{name} is in the spec of {option.entry_point} but not here: add `{name}: {wanted}`"
    elif is_computed(value):
        if option.has_default:
            yield f"{name} is computed here, so its spec can't state a default: describe it there"
    elif _literal(value) != _literal(option.spec.get("default")):
        stated = _literal(option.spec.get("default"))
        yield f"{name} is {_literal(value)} here and {stated} in its spec: make them equal"
    else:
        yield from (f"{name}: {fault}" for fault in _misfits(value, option.spec))


def _literal(value: Any) -> str:
    """A form that tells 1 from true and from "1"."""
    return json.dumps(value, sort_keys=True, default=str)


def _misfits(value: Any, spec: Mapping) -> Iterator[str]:
    """Why a value doesn't fit an option; nothing for null and for what Ansible computes."""
    if value is None or is_expression(value):
        return
    kind = str(spec.get("type"))
    fits = isinstance(value, _TYPES.get(kind, (object,)))
    if not fits or (isinstance(value, bool) and kind in ("int", "float", "bits", "bytes")):
        yield f"{_literal(value)} is no {kind}"
        return
    choices = spec.get("choices")
    if choices and not isinstance(value, list) and value not in choices:
        yield f"{_literal(value)} is none of the choices"
    if isinstance(value, list):
        for item in value:
            yield from _misfits(item, _item_spec(spec))
    elif isinstance(value, dict) and isinstance(spec.get("options"), Mapping):
        yield from _key_misfits(value, spec["options"])


def _item_spec(spec: Mapping) -> Mapping:
    return Mapping({**spec, "type": spec.get("elements")})


def _key_misfits(value: dict[str, Any], options: Mapping) -> Iterator[str]:
    for key in sorted(value.keys() - options.keys()):
        yield f"{key} is no key of it"
    for key, spec in options.items():
        if key in value:
            yield from (f"{key}: {fault}" for fault in _misfits(value[key], spec))
        elif spec.get("required") is True:
            yield f"its key {key} is required"


def _differing(everyone: list[Role]) -> list[Finding]:
    """Options that two entry points declare differently."""
    first: dict[str, tuple[Role, Option]] = {}
    findings = []
    for role in everyone:
        for option in role.options():
            known_role, known = first.setdefault(option.name, (role, option))
            for aspect in ("type", "default"):
                # A verb need not repeat the default that the role's main gives.
                if aspect not in option.spec and option.entry_point != "main":
                    continue
                here, there = (_signature(which.spec, aspect) for which in (option, known))
                if here != there:
                    message = (
                        f"{option.name} has {aspect} {here} here and {there} "
                        f"in {known_role.name}'s {known.entry_point}: make them equal"
                    )
                    findings.append(Finding(role.specs_path, option.line, NAME, message))
    return findings


def _signature(spec: Mapping, aspect: str) -> str:
    if aspect == "default":
        return _literal(spec.get("default"))
    elements = spec.get("elements")
    kind = f"{spec.get('type')} of {elements}" if elements else str(spec.get("type"))
    inner = spec.get("options")
    if not isinstance(inner, Mapping):
        return kind
    keys = (f"{key}: {_signature(inner[key], 'type')}" for key in sorted(inner))
    return f"{kind} ({', '.join(keys)})"


def _too_many_shared(everyone: list[Role], owners: dict[str, set[str]]) -> list[Finding]:
    shared = sorted(name for name, users in owners.items() if len(users) > 1)
    if len(shared) <= MOST_SHARED:
        return []
    public = next(role for role in everyone if not role.private)
    message = f"{len(shared)} variables are shared, at most {MOST_SHARED} may be: {shared}"
    return [Finding(public.specs_path, 1, NAME, message)]


RULE = Rule(NAME, specs_files, check)
