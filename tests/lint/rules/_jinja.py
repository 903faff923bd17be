"""The names that Jinja expressions use, in templates and in YAML."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
from jinja2 import nodes

from rules._model import UnreadableError
from rules._yaml import Mapping, Text, read, texts

# Ansible takes the values of these keys for expressions, without braces.
_BARE_KEYS = frozenset({"when", "until", "changed_when", "failed_when", "that"})
# What these filters return doesn't give their input away.
_HIDING_FILTERS = frozenset({"length", "count", "hash", "checksum", "type_debug"})
_ENVIRONMENT = jinja2.Environment(extensions=["jinja2.ext.do", "jinja2.ext.loopcontrols"])


class Name(NamedTuple):
    """A use of a name: of a variable, or of a key of one (`variable=False`).

    `exposed` tells whether its value can reach the result; that of a condition can't.
    """

    name: str
    line: int
    variable: bool
    exposed: bool


def is_expression(value: Any) -> bool:
    """Whether Ansible would compute a text."""
    return isinstance(value, str) and ("{{" in value or "{%" in value)


def is_computed(value: Any) -> bool:
    """Whether Ansible would compute a value, or a part of it."""
    return any(is_expression(text) for text in texts(value))


def names_in_text(path: Path, text: str, line: int = 1) -> list[Name]:
    """The names in a template's text that begins on `line` of `path`."""
    template = _parsed(path, text, line)
    local = {node.name for node in template.find_all(nodes.Name) if node.ctx != "load"}
    found = _names(template, exposed=True)
    return [
        name._replace(line=line + name.line - 1)
        for name in found
        if not (name.variable and name.name in local)
    ]


def names_in_value(path: Path, value: Any, key: str = "") -> Iterator[Name]:
    """The names in a YAML value; `key` is what it stands under."""
    if isinstance(value, Mapping):
        for inner, item in value.items():
            yield from names_in_value(path, item, inner)
    elif isinstance(value, list):
        for item in value:
            yield from names_in_value(path, item, key)
    elif isinstance(value, Text):
        if is_expression(value):
            yield from names_in_text(path, value, value.line)
        elif key in _BARE_KEYS:
            yield from names_in_text(path, "{{ " + value + " }}", value.line)


def names_in_file(path: Path) -> list[Name]:
    """The names that a template or a YAML file uses."""
    if path.suffix == ".j2":
        return names_in_text(path, path.read_text(encoding="utf-8"))
    return list(names_in_value(path, read(path)))


def included_templates(path: Path) -> list[str]:
    """The templates that a template names in include, import and extends."""
    template = _parsed(path, path.read_text(encoding="utf-8"), 1)
    kinds = (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)
    constants = [const for node in template.find_all(kinds) for const in _constants(node)]
    return [value for value in constants if isinstance(value, str)]


def _constants(node: nodes.Node) -> list[Any]:
    if isinstance(node, nodes.Const):
        return [node.value]
    return [const.value for const in node.find_all(nodes.Const)]


def _parsed(path: Path, text: str, line: int) -> nodes.Template:
    try:
        return _ENVIRONMENT.parse(text)
    except jinja2.TemplateSyntaxError as error:
        reason = f"not valid Jinja: {error.message}"
        raise UnreadableError(path, line + error.lineno - 1, reason) from error


def _names(node: nodes.Node, exposed: bool) -> list[Name]:
    found = _own_names(node, exposed)
    for field, child in _children(node):
        found += _names(child, exposed and not _hides(node, field))
    return found


def _own_names(node: nodes.Node, exposed: bool) -> list[Name]:
    if isinstance(node, nodes.Name):
        return [Name(node.name, node.lineno, True, exposed)]
    if isinstance(node, nodes.Filter) and node.name == "map":
        return [Name(key, node.lineno, True, exposed) for key in _extracted(node)]
    key = _key(node)
    if key is None:
        return []
    return [Name(key, node.lineno, _holds_variables(node), exposed)]


def _key(node: nodes.Node) -> str | None:
    if isinstance(node, nodes.Getattr):
        return node.attr
    if isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const):
        return node.arg.value if isinstance(node.arg.value, str) else None
    return None


def _holds_variables(node: nodes.Node) -> bool:
    """Whether a key is that of a variable: `vars['x']` or `hostvars[host]['x']`."""
    holder = node.node if isinstance(node, (nodes.Getattr, nodes.Getitem)) else node
    if isinstance(holder, nodes.Name):
        return holder.name == "vars"
    if isinstance(holder, (nodes.Getattr, nodes.Getitem)):
        return isinstance(holder.node, nodes.Name) and holder.node.name == "hostvars"
    return False


def _extracted(node: nodes.Filter) -> list[str]:
    """The variables that `map('extract', hostvars, 'x')` reads."""
    arguments = node.args
    if len(arguments) < 3 or not isinstance(arguments[1], nodes.Name):
        return []
    if arguments[1].name != "hostvars":
        return []
    first = _constants(arguments[2])[:1]
    return [value for value in first if isinstance(value, str)]


def _children(node: nodes.Node) -> Iterator[tuple[str, nodes.Node]]:
    for field, value in node.iter_fields():
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, nodes.Node):
                yield field, child


def _hides(node: nodes.Node, field: str) -> bool:
    """Whether the value of a field stays inside the node: only a condition, a length, a hash."""
    if isinstance(node, (nodes.Test, nodes.Compare, nodes.Not)):
        return True
    if isinstance(node, (nodes.If, nodes.CondExpr)):
        return field == "test"
    return isinstance(node, nodes.Filter) and field == "node" and node.name in _HIDING_FILTERS
