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
  - Which numbers the instances of a pool have is the state of each host. Where it wasn't looked at,
    the nodes that are known keep theirs.
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
  known:
    description: The names of the nodes that were expected up to now.
    version_added: 0.2.0
    type: list
    elements: string
    default: []
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
from ansible_collections.celeryops.cluster.plugins.plugin_utils._numbers import (
    instance_numbers,
    node_instances,
)
from ansible_collections.celeryops.cluster.plugins.plugin_utils._pools import cluster_nodes

# What the role `app` has found on a host.
_FOUND = "__celery_app_instances"


def _cluster_nodes(
    hosts: Sequence[str],
    hostvars: Mapping[str, Mapping[str, Any]],
    default: Sequence[Mapping[str, Any]],
    release: str | None,
    known: Sequence[str] = (),
) -> dict[str, dict[str, Any]]:
    pools = {host: host_pools(hostvars[host], default) for host in hosts}
    found = {host: hostvars[host].get(_FOUND) or node_instances(known, host) for host in hosts}
    numbers = {host: instance_numbers(pools[host], found[host]) for host in hosts}
    return cluster_nodes(pools, release, numbers)


class FilterModule:
    """The filter C(celeryops.cluster.cluster_nodes)."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"cluster_nodes": _cluster_nodes}
