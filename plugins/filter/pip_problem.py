# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
name: pip_problem
short_description: Says in a sentence why pip can't install packages
version_added: 0.2.0
author: The celeryops.cluster authors (@celeryops)
description:
  - Knows what users can get wrong. Of anything else pip's own words are to be shown.
options:
  _input:
    description: What pip or its module said.
    type: string
    required: true
  host:
    description: The host on which it did.
    type: string
    required: true
"""

EXAMPLES = r"""
- name: The packages could be installed
  ansible.builtin.assert:
    that: problem | length == 0
    fail_msg: "{{ problem }}"
  vars:
    problem: "{{ installed.msg | celeryops.cluster.pip_problem(inventory_hostname) }}"
"""

RETURN = r"""
_value:
  description: The sentence; empty where the message tells of no known mistake.
  type: string
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.celeryops.cluster.plugins.plugin_utils._pip import pip_problem


class FilterModule:
    """The filter C(celeryops.cluster.pip_problem)."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"pip_problem": pip_problem}
