"""YAML that remembers the lines it came from."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from rules._model import UnreadableError


class Text(str):
    """A string, with the line on which its first character stands."""

    line: int = 1


class Mapping(dict[str, Any]):
    """A mapping, with its own line and that of each key."""

    def __init__(self, items: dict[Any, Any] | None = None, line: int = 1) -> None:
        super().__init__(items or {})
        self.line = line
        self.lines: dict[str, int] = {}

    def line_of(self, key: str) -> int:
        """The line of `key`, or that of the mapping where it has no such key."""
        return self.lines.get(key, self.line)


class _Loader(yaml.CSafeLoader):
    """Builds `Text` and `Mapping`; reads Ansible's own tags (`!vault`, `!unsafe`) as plain text."""


def _text(loader: _Loader, node: yaml.ScalarNode) -> Text:
    text = Text(loader.construct_scalar(node))
    # A block scalar's first character stands on the line after its `|` or `>`.
    text.line = node.start_mark.line + (2 if node.style in ("|", ">") else 1)
    return text


def _tagged(loader: _Loader, _suffix: str, node: yaml.Node) -> Text:
    return _text(loader, node) if isinstance(node, yaml.ScalarNode) else Text()


def _mapping(loader: _Loader, node: yaml.MappingNode) -> Mapping:
    loader.flatten_mapping(node)
    mapping = Mapping(loader.construct_mapping(node, deep=True), node.start_mark.line + 1)
    mapping.lines = {
        str(loader.construct_object(key)): key.start_mark.line + 1 for key, _ in node.value
    }
    return mapping


_Loader.add_constructor("tag:yaml.org,2002:str", _text)
_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)
_Loader.add_multi_constructor("!", _tagged)


@cache
def _parsed(text: str) -> Any:
    return yaml.load(text, Loader=_Loader)


def read(path: Path) -> Any:
    """The document in `path`, to be read only; raises UnreadableError where it isn't YAML."""
    try:
        return _parsed(path.read_text(encoding="utf-8"))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UnreadableError(path, line, f"not valid YAML: {error.problem}") from error


def read_mapping(path: Path) -> Mapping:
    """The mapping in `path`; an empty one where the file is missing or holds something else."""
    document = read(path) if path.is_file() else None
    return document if isinstance(document, Mapping) else Mapping()


def texts(value: Any) -> Iterator[Text]:
    """Every string in a value, however deep; keys are left out."""
    if isinstance(value, Text):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)
