# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
name: host_pools
short_description: Lists the pools of a host
version_added: 0.2.0
author: The celeryops.cluster authors (@celeryops)
description:
  - Starts with the host's C(celery_worker_pools) and lays each of its variables
    C(celery_worker_pools_<anything>) over it, in the order of their names. A pool of the same name
    gets the options of the later variable; a new name is a further pool.
  - A pool's C(profile) gives it defaults; C(cpus) in its C(concurrency) becomes a number once the
    processors of the host have been counted.
options:
  _input:
    description: The host's name in the inventory.
    type: string
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
# In group_vars/all.yml celery_worker_pools has a pool "work". The hosts of the group "big" give it
# twice as many processes, with a variable of a name of its own:
#   celery_worker_pools_big: [{name: work, concurrency: cpus*2}]
# and one host runs none of it:
#   celery_worker_pools_host: [{name: work, instances: 0}]
- name: Show the pools of this host
  ansible.builtin.debug:
    msg: "{{ inventory_hostname | celeryops.cluster.host_pools(hostvars, []) }}"
"""

RETURN = r"""
_value:
  description: The pools.
  type: list
  elements: dictionary
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.celeryops.cluster.plugins.plugin_utils._layers import host_pools


def _host_pools(
    host: str, hostvars: Mapping[str, Mapping[str, Any]], default: Sequence[Any]
) -> list[Any]:
    return host_pools(hostvars[host], default)


class FilterModule:
    """The filter C(celeryops.cluster.host_pools)."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"host_pools": _host_pools}
