# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
name: pool_packages
short_description: Lists the packages that the kinds of a cluster's pools take
version_added: 0.2.0
author: The celeryops.cluster authors (@celeryops)
description:
  - Every host gets the same release, so the kinds of all hosts count.
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
- name: Show the packages
  ansible.builtin.debug:
    msg: >-
      {{ groups['celery_worker']
      | celeryops.cluster.pool_packages(hostvars, celery_worker_pools) }}
"""

RETURN = r"""
_value:
  description: Pip requirements.
  type: list
  elements: string
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.celeryops.cluster.plugins.plugin_utils._layers import (
    host_pools,
    pool_packages,
)


def _pool_packages(
    hosts: Sequence[str], hostvars: Mapping[str, Mapping[str, Any]], default: Sequence[Any]
) -> list[str]:
    return pool_packages(pool for host in hosts for pool in host_pools(hostvars[host], default))


class FilterModule:
    """The filter C(celeryops.cluster.pool_packages)."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"pool_packages": _pool_packages}
