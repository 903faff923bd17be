# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
name: worker_services
short_description: Describes the services of a worker host
version_added: 0.1.0
author: The celeryops.cluster authors (@celeryops)
description:
  - An instance of a pool is a service.
options:
  _input:
    description: The pools, as in C(celery_worker_pools).
    type: list
    elements: dictionary
    required: true
  app:
    description: Name of the application.
    type: string
    required: true
  host:
    description: The host's name in the inventory.
    type: string
    required: true
  entry:
    description: What C(celery --app) loads.
    type: string
    required: true
  stop_timeout:
    description: Seconds that an instance may take to stop.
    type: integer
    required: true
  watchdog:
    description: Seconds without a sign of life after which it is restarted; 0 for no watchdog.
    type: integer
    required: true
  numbers:
    description:
      - By pool, the numbers of its instances, as P(celeryops.cluster.instance_numbers#filter) gives
        them. Without them they are counted from 1.
    version_added: 0.2.0
    type: dictionary
  log_files:
    description: Whether each instance logs to a file of its own rather than to the journal.
    version_added: 0.2.0
    type: boolean
    default: false
"""

EXAMPLES = r"""
- name: Show the units of this host
  ansible.builtin.debug:
    msg: "{{ services | map(attribute='unit') }}"
  vars:
    services: >-
      {{ celery_worker_pools | celeryops.cluster.worker_services(
         app='shop', host=inventory_hostname, entry='shop.celery:app',
         stop_timeout=3600, watchdog=0) }}
"""

RETURN = r"""
_value:
  description: The services, as the role C(_common) takes them.
  type: list
  elements: dictionary
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.celeryops.cluster.plugins.plugin_utils._services import worker_services


class FilterModule:
    """The filter C(celeryops.cluster.worker_services)."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"worker_services": worker_services}
