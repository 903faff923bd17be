# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
name: ending_lines
short_description: Tells in lines which instances of a host are still ending
version_added: 0.2.0
author: The celeryops.cluster authors (@celeryops)
description:
  - A line for each instance that has been told to stop and still runs tasks.
options:
  _input:
    description:
      - The results of a loop of M(ansible.builtin.stat) over their links, whose items are the
        results of a loop of M(ansible.builtin.systemd_service).
    type: list
    elements: dictionary
    required: true
  host:
    description: The host's name in the inventory.
    type: string
    required: true
  uptime:
    description: The content of its C(/proc/uptime).
    type: string
    required: true
"""

EXAMPLES = r"""
- name: Show what still ends
  ansible.builtin.debug:
    msg: >-
      {{ __links.results
      | celeryops.cluster.ending_lines(inventory_hostname, __uptime.content | b64decode) }}
"""

RETURN = r"""
_value:
  description: The lines.
  type: list
  elements: string
  sample: ["cpu1@worker1 (release 1.3.0-ef56ab12) is still ending, since 95 s"]
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.celeryops.cluster.plugins.plugin_utils._reports import ending_lines


class FilterModule:
    """The filter C(celeryops.cluster.ending_lines)."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"ending_lines": ending_lines}
