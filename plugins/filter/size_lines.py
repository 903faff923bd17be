# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
name: size_lines
short_description: Tells in lines which nodes get which size
version_added: 0.2.0
author: The celeryops.cluster authors (@celeryops)
description:
  - A line for each node, with its size before and after, and what the inventory says beside it.
options:
  _input:
    description: What calls of M(celeryops.cluster.celery_pool) have returned.
    type: list
    elements: dictionary
    required: true
"""

EXAMPLES = r"""
- name: Show what changes
  ansible.builtin.debug:
    msg: "{{ resized.results | celeryops.cluster.size_lines }}"
"""

RETURN = r"""
_value:
  description: The lines.
  type: list
  elements: string
  sample: ["cpu1@worker1: 2 -> 8, where the inventory says 2, which counts again once …"]
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.celeryops.cluster.plugins.plugin_utils._scaling import size_lines


class FilterModule:
    """The filter C(celeryops.cluster.size_lines)."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"size_lines": size_lines}
