# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
name: differing
short_description: Picks the services whose instances were started with something else
version_added: 0.1.0
author: The celeryops.cluster authors (@celeryops)
description:
  - An instance that was never started differs too.
options:
  _input:
    description:
      - The services with their C(file), as the filter P(celeryops.cluster.started_with#filter)
        gives them.
    type: list
    elements: dictionary
    required: true
  found:
    description: The environment files on the host, each with C(path) and C(checksum).
    type: list
    elements: dictionary
    required: true
"""

EXAMPLES = r"""
- name: Stop what changes
  ansible.builtin.systemd_service:
    name: "{{ item.unit }}"
    state: stopped
  loop: "{{ services | celeryops.cluster.differing(__found.files) }}"
"""

RETURN = r"""
_value:
  description: The services that differ, in their order.
  type: list
  elements: dictionary
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.celeryops.cluster.plugins.plugin_utils._instances import differing


class FilterModule:
    """The filter C(celeryops.cluster.differing)."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"differing": differing}
