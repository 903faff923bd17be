# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
name: cluster_nodes
short_description: Lists every worker node of the cluster
version_added: 0.1.0
author: The celeryops.cluster authors (@celeryops)
description:
  - Reads each host's pools as P(celeryops.cluster.host_pools#filter) does, so that one host knows
    whom to expect on all others.
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
  release:
    description: The release that the nodes should run; V(null) where they can't tell theirs.
    type: string
    required: true
"""

EXAMPLES = r"""
- name: Show the cluster's nodes
  ansible.builtin.debug:
    msg: >-
      {{ groups['celery_worker']
      | celeryops.cluster.cluster_nodes(hostvars, celery_worker_pools, '1.4.0') }}
"""

RETURN = r"""
_value:
  description: For each node its C(host), C(pool), C(kind), C(queues), C(size) and C(release).
  type: dictionary
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.celeryops.cluster.plugins.plugin_utils._layers import host_pools
from ansible_collections.celeryops.cluster.plugins.plugin_utils._pools import cluster_nodes


def _cluster_nodes(
    hosts: Sequence[str],
    hostvars: Mapping[str, Mapping[str, Any]],
    default: Sequence[Mapping[str, Any]],
    release: str | None,
) -> dict[str, dict[str, Any]]:
    pools = {host: host_pools(hostvars[host], default) for host in hosts}
    return cluster_nodes(pools, release)


class FilterModule:
    """The filter C(celeryops.cluster.cluster_nodes)."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"cluster_nodes": _cluster_nodes}
