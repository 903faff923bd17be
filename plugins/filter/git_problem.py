# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
name: git_problem
short_description: Says in a sentence why a source can't be fetched by git
version_added: 0.2.0
author: The celeryops.cluster authors (@celeryops)
description:
  - Credentials in URLs are left out.
options:
  _input:
    description: What git or its module said.
    type: string
    required: true
  source:
    description: The application's source.
    type: string
    required: true
  version:
    description: The ref that was wanted.
    type: string
    required: true
"""

EXAMPLES = r"""
- name: The source is there
  ansible.builtin.assert:
    that: fetched is success
    fail_msg: "{{ fetched.msg | celeryops.cluster.git_problem(celery_app_source, '1.4.0') }}"
"""

RETURN = r"""
_value:
  description: The sentence.
  type: string
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.celeryops.cluster.plugins.plugin_utils._release import git_problem


class FilterModule:
    """The filter C(celeryops.cluster.git_problem)."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"git_problem": git_problem}
