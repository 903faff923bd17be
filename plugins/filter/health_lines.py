# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
name: health_lines
short_description: Tells in a table how the nodes of a cluster do
version_added: 0.2.0
author: The celeryops.cluster authors (@celeryops)
description:
  - A line for each node, under a heading.
options:
  _input:
    description: The RV(celeryops.cluster.celery_health#module:nodes) of a module call.
    type: dictionary
    required: true
"""

EXAMPLES = r"""
- name: Show how the nodes do
  ansible.builtin.debug:
    msg: "{{ health.nodes | celeryops.cluster.health_lines }}"
"""

RETURN = r"""
_value:
  description: The lines.
  type: list
  elements: string
  sample:
    - "node          release         processes  active  reserved  canary  verdict"
    - "cpu1@worker1  1.4.0-ab12cd34  4          2       0         0.02 s  healthy"
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.celeryops.cluster.plugins.plugin_utils._reports import health_lines


class FilterModule:
    """The filter C(celeryops.cluster.health_lines)."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"health_lines": health_lines}
