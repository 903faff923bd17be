# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
name: memory_problem
short_description: Says why services can't start beside what runs on a host
version_added: 0.2.0
author: The celeryops.cluster authors (@celeryops)
description:
  - Compares the limits of their memory with the memory that is available.
options:
  _input:
    description: The services, as P(celeryops.cluster.worker_services#filter) gives them.
    type: list
    elements: dictionary
    required: true
  host:
    description: The host's name in the inventory.
    type: string
    required: true
  meminfo:
    description: The content of its C(/proc/meminfo).
    type: string
    required: true
"""

EXAMPLES = r"""
- name: There is memory for both
  ansible.builtin.assert:
    that: problem | length == 0
    fail_msg: "{{ problem }}"
  vars:
    problem: >-
      {{ services
      | celeryops.cluster.memory_problem(inventory_hostname, __meminfo.content | b64decode) }}
"""

RETURN = r"""
_value:
  description: A sentence; empty if they can.
  type: string
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.celeryops.cluster.plugins.plugin_utils._limits import memory_problem


class FilterModule:
    """The filter C(celeryops.cluster.memory_problem)."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"memory_problem": memory_problem}
