# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
name: instance_numbers
short_description: Tells which numbers the instances of a host's pools have
version_added: 0.2.0
author: The celeryops.cluster authors (@celeryops)
description:
  - Instances keep their numbers. Others take the lowest ones that are free; where there are too
    many, the highest ones go.
options:
  _input:
    description: The pools of the host.
    type: list
    elements: dictionary
    required: true
  instances:
    description:
      - The names of the instances that are C(started), C(kept) and C(left), as
        P(celeryops.cluster.host_instances#filter) gives them; of those that are C(leaving), since
        others are to replace them; and of those that are C(ending).
    type: dictionary
    required: true
"""

EXAMPLES = r"""
- name: Show the numbers of each pool
  ansible.builtin.debug:
    msg: >-
      {{ [{'name': 'cpu', 'instances': 2}]
      | celeryops.cluster.instance_numbers({'started': ['cpu2'], 'ending': ['cpu1']}) }}
"""

RETURN = r"""
_value:
  description: The numbers by the name of the pool.
  type: dictionary
  sample: {cpu: [2, 3]}
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.celeryops.cluster.plugins.plugin_utils._numbers import instance_numbers


class FilterModule:
    """The filter C(celeryops.cluster.instance_numbers)."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"instance_numbers": instance_numbers}
