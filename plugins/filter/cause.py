# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
name: cause
short_description: Tells in a sentence why a task failed
version_added: 0.2.0
author: The celeryops.cluster authors (@celeryops)
description:
  - The message of the task, or those of the items that failed in its loop.
options:
  _input:
    description: The C(ansible_failed_result) of a C(rescue).
    type: dictionary
    required: true
"""

EXAMPLES = r"""
- name: Give up
  ansible.builtin.fail:
    msg: "It failed: {{ ansible_failed_result | celeryops.cluster.cause }}"
"""

RETURN = r"""
_value:
  description: The sentence.
  type: string
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.celeryops.cluster.plugins.plugin_utils._reports import cause


class FilterModule:
    """The filter C(celeryops.cluster.cause)."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"cause": cause}
