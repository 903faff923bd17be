# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
name: sandbox_lines
short_description: Writes what a service may not do
version_added: 0.2.0
author: The celeryops.cluster authors (@celeryops)
description:
  - The collection's own sandbox, with changes over it. A list becomes a line for each entry;
    V(null) leaves a setting out.
options:
  _input:
    description: Settings of systemd's section [Service] and their values.
    type: dictionary
    required: true
"""

EXAMPLES = r"""
- name: Show the sandbox of a service that makes machine code at run time
  ansible.builtin.debug:
    msg: "{{ {'MemoryDenyWriteExecute': false} | celeryops.cluster.sandbox_lines }}"
"""

RETURN = r"""
_value:
  description: Lines of the unit's section [Service].
  type: list
  elements: string
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.celeryops.cluster.plugins.plugin_utils._sandbox import sandbox_lines


class FilterModule:
    """The filter C(celeryops.cluster.sandbox_lines)."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"sandbox_lines": sandbox_lines}
