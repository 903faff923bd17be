# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
name: left_behind
short_description: Says what earlier instances and pools have left on a host
version_added: 0.2.0
author: The celeryops.cluster authors (@celeryops)
description:
  - Tells the units and files of the worker services that a host should have from those that it has.
options:
  _input:
    description: The services that stay, as P(celeryops.cluster.worker_services#filter) gives them.
    type: list
    elements: dictionary
    required: true
  app:
    description: Name of the application.
    type: string
    required: true
  found:
    description:
      - The paths of units of its workers, of the links that start them at boot, and of their
        environment files and links to releases.
    type: list
    elements: string
    required: true
  alerts:
    description: Whether the unit that reports failed services stays too.
    type: boolean
    required: true
  ending:
    description: Names of the instances that still run.
    type: list
    elements: string
    default: []
"""

EXAMPLES = r"""
- name: Show the instances that have left
  ansible.builtin.debug:
    msg: "{{ (services | celeryops.cluster.left_behind('shop', found, alerts=false)).instances }}"
"""

RETURN = r"""
_value:
  description:
    - The C(instances) to stop, the files that they are C(started_with), and the further C(files) of
      what has ended.
  type: dictionary
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.celeryops.cluster.plugins.plugin_utils._services import left_behind


class FilterModule:
    """The filter C(celeryops.cluster.left_behind)."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"left_behind": left_behind}
