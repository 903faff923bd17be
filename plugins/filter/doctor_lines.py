# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
name: doctor_lines
short_description: Tells in a table what is wrong, and how to mend it
version_added: 0.2.0
author: The celeryops.cluster authors (@celeryops)
description:
  - A line for each finding with its fix below it, and at the end how many there are.
options:
  _input:
    description: What P(celeryops.cluster.doctor_findings#filter) returns.
    type: list
    elements: dictionary
    required: true
"""

EXAMPLES = r"""
- name: Show what is wrong
  ansible.builtin.debug:
    msg: "{{ _findings | celeryops.cluster.doctor_lines }}"
"""

RETURN = r"""
_value:
  description: The lines.
  type: list
  elements: string
  sample:
    - "error  cpu1@worker1  unit  celery-shop-cpu@1.service is stopped."
    - "                           -> Start it by `systemctl start celery-shop-cpu@1.service`."
    - "errors: 1, warnings: 0"
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.celeryops.cluster.plugins.plugin_utils._doctor import doctor_lines


class FilterModule:
    """The filter C(celeryops.cluster.doctor_lines)."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"doctor_lines": doctor_lines}
