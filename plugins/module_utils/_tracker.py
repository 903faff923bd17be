# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: it may change without notice.
"""One computation for `changed`, check mode and `--diff`."""

from __future__ import annotations

from typing import Any


class Tracker:
    """Values before and after, under a path of names."""

    def __init__(self) -> None:
        self._values: dict[tuple[str, ...], tuple[Any, Any]] = {}

    def add(self, *path: str, before: Any, after: Any) -> None:
        """Note a value; later values for the same path replace it."""
        self._values[path] = (before, after)

    def values(self, *path: str) -> dict[str, dict[str, Any]]:
        """The values right below a path, as `before` and `after` by name."""
        return {
            known[-1]: {"before": before, "after": after}
            for known, (before, after) in self._values.items()
            if known[:-1] == path
        }

    @property
    def changed(self) -> bool:
        """Whether any value differs from before."""
        return any(before != after for before, after in self._values.values())

    def diff(self) -> dict[str, Any]:
        """The values that differ, as Ansible's `--diff` wants them."""
        result: dict[str, Any] = {"before": {}, "after": {}}
        for path, values in self._values.items():
            if values[0] != values[1]:
                for side, value in zip(("before", "after"), values, strict=True):
                    branch = result[side]
                    for name in path[:-1]:
                        branch = branch.setdefault(name, {})
                    branch[path[-1]] = value
        return result
