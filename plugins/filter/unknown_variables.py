# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
name: unknown_variables
short_description: Finds misspelt celery_ variables
version_added: 0.1.0
author: The celeryops.cluster authors (@celeryops)
description:
  - Ansible takes a misspelt variable without a word; this compares names with what the roles know.
options:
  _input:
    description: Names of variables.
    type: list
    elements: string
    required: true
"""

EXAMPLES = r"""
- name: Refuse unknown variables
  ansible.builtin.assert:
    that: >-
      query('ansible.builtin.varnames', '^celery_') | celeryops.cluster.unknown_variables
      | length == 0
"""

RETURN = r"""
_value:
  description: A sentence for each unknown name, with the nearest known one.
  type: list
  elements: string
"""

from collections.abc import Callable, Sequence
from typing import Any

from ansible_collections.celeryops.cluster.plugins.plugin_utils._layers import is_layer
from ansible_collections.celeryops.cluster.plugins.plugin_utils._variables import (
    unknown_variables,
    variable_types,
)


def _unknown_variables(names: Sequence[str]) -> list[str]:
    return unknown_variables([name for name in names if not is_layer(name)], variable_types())


class FilterModule:
    """The filter C(celeryops.cluster.unknown_variables)."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"unknown_variables": _unknown_variables}
