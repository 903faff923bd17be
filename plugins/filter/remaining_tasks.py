# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
name: remaining_tasks
short_description: Tells in lines what draining nodes still run
version_added: 0.2.0
author: The celeryops.cluster authors (@celeryops)
description:
  - A line for each node that has tasks left, with their number and the longest-running ones.
options:
  _input:
    description: The RV(celeryops.cluster.celery_worker#module:remaining) of a module call.
    type: dictionary
    required: true
  seconds:
    description: How long the tasks still may take; it is told when it is given.
    type: int
"""

EXAMPLES = r"""
- name: Show what the nodes still run
  ansible.builtin.debug:
    msg: "{{ draining.remaining | celeryops.cluster.remaining_tasks(seconds=3570) }}"
"""

RETURN = r"""
_value:
  description: The lines.
  type: list
  elements: string
  sample: ["cpu1@worker1: 1 task left, 3570 s for them: shop.report since 35 s (6d1c5c2e-4bd0)"]
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.celeryops.cluster.plugins.plugin_utils._reports import remaining_tasks


class FilterModule:
    """The filter C(celeryops.cluster.remaining_tasks)."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"remaining_tasks": remaining_tasks}
