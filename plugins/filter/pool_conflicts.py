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
    description: The pools that any host runs.
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
  foreign_queues:
    description: Queues that others than these pools consume.
    type: list
    elements: string
    required: true
"""

EXAMPLES = r"""
- name: Refuse what can't work together
  ansible.builtin.assert:
    that: problems | length == 0
    fail_msg: "{{ problems | join(' ') }}"
  vars:
    problems: >-
      {{ celery_worker_pools | celeryops.cluster.pool_conflicts(
         settings=celery_settings, stop_timeout=3600, foreign_queues=[]) }}
"""

RETURN = r"""
_value:
  description: A sentence for each conflict; empty when there is none.
  type: list
  elements: string
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.celeryops.cluster.plugins.plugin_utils._conflicts import conflicts


class FilterModule:
    """The filter C(celeryops.cluster.pool_conflicts)."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"pool_conflicts": conflicts}
