# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
name: cluster_pools
short_description: Lists the pools that any worker host of the cluster runs
version_added: 0.2.0
author: The celeryops.cluster authors (@celeryops)
description:
  - Reads each host's pools as P(celeryops.cluster.host_pools#filter) does, and leaves out those of
    which a host runs no instance.
options:
  _input:
    description: The names of the worker hosts.
    type: list
    elements: string
    required: true
  hostvars:
    description: Ansible's C(hostvars).
    type: dictionary
    required: true
  default:
    description: The pools of a host that sets none.
    type: list
    elements: dictionary
    required: true
"""

EXAMPLES = r"""
- name: Show the queues that the cluster consumes
  ansible.builtin.debug:
    msg: >-
      {{ groups['celery_worker'] | celeryops.cluster.cluster_pools(hostvars, celery_worker_pools)
      | map(attribute='queues') | flatten | unique }}
"""

RETURN = r"""
_value:
  description: The pools; one that several hosts run is there for each.
  type: list
  elements: dictionary
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.celeryops.cluster.plugins.plugin_utils._layers import cluster_pools


class FilterModule:
    """The filter C(celeryops.cluster.cluster_pools)."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"cluster_pools": cluster_pools}
