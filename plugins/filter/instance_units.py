# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
name: instance_units
short_description: Names the units of instances
version_added: 0.2.0
author: The celeryops.cluster authors (@celeryops)
description:
  - The unit of an instance comes from the unit file of its pool.
options:
  _input:
    description: The names of the instances.
    type: list
    elements: string
    required: true
  app:
    description: Name of the application.
    type: string
    required: true
"""

EXAMPLES = r"""
- name: Show the units of two instances
  ansible.builtin.debug:
    msg: "{{ ['cpu1', 'cpu2'] | celeryops.cluster.instance_units('shop') }}"
"""

RETURN = r"""
_value:
  description: For each its C(instance), C(unit) and C(unit_file).
  type: list
  elements: dictionary
  sample: [{instance: cpu1, unit: celery-shop-cpu@1.service, unit_file: celery-shop-cpu@.service}]
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.celeryops.cluster.plugins.plugin_utils._numbers import instance_units


class FilterModule:
    """The filter C(celeryops.cluster.instance_units)."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"instance_units": instance_units}
