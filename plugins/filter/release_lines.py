# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
name: release_lines
short_description: Tells in lines which nodes run which release
version_added: 0.2.0
author: The celeryops.cluster authors (@celeryops)
description:
  - A line for each release.
options:
  _input:
    description: The RV(celeryops.cluster.celery_health#module:nodes) of a module call.
    type: dictionary
    required: true
"""

EXAMPLES = r"""
- name: Show who runs what
  ansible.builtin.debug:
    msg: "{{ health.nodes | celeryops.cluster.release_lines }}"
"""

RETURN = r"""
_value:
  description: The lines.
  type: list
  elements: string
  sample: ["1.4.0-ab12cd34: cpu1@worker1, cpu1@worker2"]
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.celeryops.cluster.plugins.plugin_utils._reports import release_lines


class FilterModule:
    """The filter C(celeryops.cluster.release_lines)."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"release_lines": release_lines}
