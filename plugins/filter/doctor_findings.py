# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
name: doctor_findings
short_description: Tells what is wrong with a cluster, by what was found on its hosts
version_added: 0.2.0
author: The celeryops.cluster authors (@celeryops)
description:
  - The findings of the hosts, and what they add up to, such as clocks or releases that differ,
    queues that nobody consumes, and routes that lead there. The worst come first.
  - What is registered as C(__doctor) on each host, and as C(__doctor_health) and
    C(__doctor_queues) on one of them, comes from the modules M(celeryops.cluster.celery_doctor),
    M(celeryops.cluster.celery_health) and M(celeryops.cluster.celery_queue_info). Each of them may
    have failed.
positional: hostvars
options:
  _input:
    description: The hosts.
    type: list
    elements: string
    required: true
  hostvars:
    description: Ansible's C(hostvars).
    type: dictionary
    required: true
  foreign_queues:
    description: Queues that others than the cluster's workers consume.
    type: list
    elements: string
    default: []
"""

EXAMPLES = r"""
- name: Put together what was found
  ansible.builtin.set_fact:
    _findings: "{{ ansible_play_hosts_all | celeryops.cluster.doctor_findings(hostvars) }}"
"""

RETURN = r"""
_value:
  description:
    - As the RV(celeryops.cluster.celery_doctor#module:findings).
    - One of the whole cluster has no host.
  type: list
  elements: dictionary
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.celeryops.cluster.plugins.plugin_utils._doctor import doctor_findings


class FilterModule:
    """The filter C(celeryops.cluster.doctor_findings)."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"doctor_findings": doctor_findings}
