# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
name: pool_conflicts
short_description: Says where pools, settings and the stop of workers don't fit together
version_added: 0.2.0
author: The celeryops.cluster authors (@celeryops)
description:
  - Finds a hard time limit that is longer than a worker may take to stop, and a route to a queue
    that no pool consumes.
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
  settings:
    description: What C(celery_settings) lays over the application's settings.
    type: dictionary
    required: true
  stop_timeout:
    description: Seconds that a worker may take to stop.
    type: integer
    required: true
"""

EXAMPLES = r"""
- name: Refuse what can't work together
  ansible.builtin.assert:
    that: problems | length == 0
    fail_msg: "{{ problems | join(' ') }}"
  vars:
    problems: >-
      {{ groups['celery_worker'] | celeryops.cluster.pool_conflicts(
         hostvars, celery_worker_pools, settings=celery_settings, stop_timeout=3600) }}
"""

RETURN = r"""
_value:
  description: A sentence for each conflict; empty when there is none.
  type: list
  elements: string
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.celeryops.cluster.plugins.plugin_utils._conflicts import conflicts
from ansible_collections.celeryops.cluster.plugins.plugin_utils._layers import host_pools


def _pool_conflicts(
    hosts: Sequence[str],
    hostvars: Mapping[str, Mapping[str, Any]],
    default: Sequence[Any],
    settings: Mapping[str, Any],
    stop_timeout: int,
) -> list[str]:
    pools = [pool for host in hosts for pool in host_pools(hostvars[host], default)]
    return conflicts(pools, settings, int(stop_timeout))


class FilterModule:
    """The filter C(celeryops.cluster.pool_conflicts)."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"pool_conflicts": _pool_conflicts}
