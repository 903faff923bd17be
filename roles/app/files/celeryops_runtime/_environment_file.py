"""Reads the files that systemd's EnvironmentFile= reads."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from celeryops_runtime import SetupError

QUOTED = re.compile(r"""'[^']*'|"(?:\\.|[^"\\])*\"""", re.DOTALL)
# A value is quoted parts, then bare text up to the line's end (a backslash carries it over).
LINE = re.compile(
    rf"""
    [ \t]*
    (?: [#;][^\n]*
      | (?P<key>[A-Za-z_]\w*)[ \t]*=
        (?P<quoted>(?:[ \t]|{QUOTED.pattern})*)
        (?P<bare>(?:(?:\\.|[^\s\\'"])(?:\\.|[^\n\\])*?)?)[ \t]*
    )?
    (?:\n|\Z)
    """,
    re.DOTALL | re.VERBOSE,
)


def read_environment_file(path: Path) -> dict[str, str]:
    r"""The variables set in the file `path`, by systemd's rules.

    Lines are KEY=value, empty, or comments (# or ;). Between double quotes a backslash guards only
    ", \, ` and $; between single quotes all stands for itself. Raises SetupError.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SetupError(
            f"The environment file {path} cannot be read: {error.strerror}."
        ) from error
    return dict(_assignments(text, path))


def _assignments(text: str, path: Path) -> Iterator[tuple[str, str]]:
    position = 0
    while position < len(text):
        line = LINE.match(text, position)
        if not line:
            number = text.count("\n", 0, position) + 1
            raise SetupError(f"Line {number} of {path} is neither KEY=value nor a comment.")
        if line["key"]:
            quoted = "".join(_unquote(part) for part in QUOTED.findall(line["quoted"]))
            yield line["key"], quoted + _unescape(line["bare"])
        position = line.end()


def _unquote(part: str) -> str:
    text = part[1:-1]
    return text if part.startswith("'") else _unescape(text, '"\\`$')


def _unescape(text: str, guarded: str | None = None) -> str:
    """`text` without the backslashes before `guarded` characters (default: before all)."""

    def replacement(escape: re.Match[str]) -> str:
        character = escape[1]
        if character == "\n":
            return ""
        return character if guarded is None or character in guarded else escape[0]

    return re.sub(r"\\(.)", replacement, text, flags=re.DOTALL)
