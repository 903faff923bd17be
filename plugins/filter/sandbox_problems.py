# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
name: sandbox_problems
short_description: Says what is wrong with celery_app_sandbox
version_added: 0.2.0
author: The celeryops.cluster authors (@celeryops)
description:
  - systemd passes over a setting that it doesn't know, and a service may wait for
    ever for one that it needs.
options:
  _input:
    description: Settings of systemd's section [Service] and their values.
    type: dictionary
    required: true
"""

EXAMPLES = r"""
- name: Refuse a sandbox that can't work
  ansible.builtin.assert:
    that: celery_app_sandbox | celeryops.cluster.sandbox_problems | length == 0
"""

RETURN = r"""
_value:
  description: A sentence for each problem; empty when there is none.
  type: list
  elements: string
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.celeryops.cluster.plugins.plugin_utils._sandbox import sandbox_problems


class FilterModule:
    """The filter C(celeryops.cluster.sandbox_problems)."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"sandbox_problems": sandbox_problems}
