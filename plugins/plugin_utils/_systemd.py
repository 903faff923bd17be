# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to the collection: what systemd reads."""

from __future__ import annotations

import re
from collections.abc import Mapping

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
# Inside double quotes systemd's EnvironmentFile= takes a backslash before these four literally.
_ESCAPED = str.maketrans({character: f"\\{character}" for character in '\\"`$'})


def environment_file(variables: Mapping[str, object]) -> str:
    """The lines of an EnvironmentFile=, in the mapping's order.

    Raises ValueError for a name that is none, and for one of several lines: systemd would cut it.
    """
    return "".join(_line(name, _text(value)) for name, value in variables.items())


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    return str(value)


def _line(name: str, value: str) -> str:
    if not _NAME.match(name):
        raise ValueError(
            f"'{name}' is no name of an environment variable: use letters, digits and _"
        )
    if "\n" in value or "\r" in value:
        raise ValueError(
            f"the environment variable {name} holds a line break: write it on one line"
        )
    return f'{name}="{value.translate(_ESCAPED)}"\n'
