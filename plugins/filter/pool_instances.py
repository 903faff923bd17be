# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
name: pool_instances
short_description: Lists the worker instances that a host runs
version_added: 0.1.0
author: The celeryops.cluster authors (@celeryops)
description:
  - An instance is one worker of a pool on a host; its node name is C(<pool><n>@<host>).
options:
  _input:
    description: The pools.
    type: list
    elements: dictionary
    required: true
  host:
    description: The host's name in the inventory.
    type: string
    required: true
"""

EXAMPLES = r"""
- name: Show the nodes of this host
  ansible.builtin.debug:
    msg: >-
      {{ celery_worker_pools | celeryops.cluster.pool_instances(inventory_hostname)
      | map(attribute='node') }}
"""

RETURN = r"""
_value:
  description: The instances, each with its C(instance), C(number), C(node) and C(pool).
  type: list
  elements: dictionary
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.celeryops.cluster.plugins.plugin_utils._pools import pool_instances


class FilterModule:
    """The filter C(celeryops.cluster.pool_instances)."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"pool_instances": pool_instances}
