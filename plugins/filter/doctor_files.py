# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
name: doctor_files
short_description: Makes the files of a support bundle
version_added: 0.2.0
author: The celeryops.cluster authors (@celeryops)
description:
  - The findings, what each host told with O(celeryops.cluster.celery_doctor#module:details), the
    last lines of the log of each service, and how nodes and queues do.
  - The module has taken the secrets out already; what looks like one is taken out once more.
positional: hostvars, findings
options:
  _input:
    description: The hosts.
    type: list
    elements: string
    required: true
  hostvars:
    description: Ansible's C(hostvars), as for P(celeryops.cluster.doctor_findings#filter).
    type: dictionary
    required: true
  findings:
    description: What that filter returns.
    type: list
    elements: dictionary
    required: true
"""

EXAMPLES = r"""
- name: Write the files
  ansible.builtin.copy:
    content: "{{ item.content }}"
    dest: "/tmp/bundle/{{ item.name }}"
    mode: "0600"
  loop: "{{ ansible_play_hosts_all | celeryops.cluster.doctor_files(hostvars, _findings) }}"
  loop_control:
    label: "{{ item.name }}"
"""

RETURN = r"""
_value:
  description: For each file its C(name) and its C(content).
  type: list
  elements: dictionary
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.celeryops.cluster.plugins.plugin_utils._doctor import doctor_files


class FilterModule:
    """The filter C(celeryops.cluster.doctor_files)."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"doctor_files": doctor_files}
