# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
name: text_problems
short_description: Finds variables that are text instead of a list or a dictionary
version_added: 0.1.0
author: The celeryops.cluster authors (@celeryops)
description:
  - What C(-e name=value) gives is text, whatever the value looks like, and Ansible takes it for a
    list that holds that text. This compares the values with the types that the roles know.
  - A value that refers to something unknown is left to the role that takes it.
options:
  _input:
    description: All variables of a host, as in C(hostvars).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Refuse text in place of lists
  ansible.builtin.assert:
    that: hostvars[inventory_hostname] | celeryops.cluster.text_problems | length == 0
"""

RETURN = r"""
_value:
  description: A sentence for each such variable.
  type: list
  elements: string
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleError

from ansible_collections.celeryops.cluster.plugins.plugin_utils._variables import (
    structures,
    text_problems,
    variable_types,
)


def _text_problems(variables: Mapping[str, Any]) -> list[str]:
    types = variable_types()
    values = {}
    for name in structures(types):
        try:
            values[name] = variables.get(name)
        except AnsibleError:  # it may refer to the defaults of a role that isn't loaded yet
            continue
    return text_problems(values, types)


class FilterModule:
    """The filter C(celeryops.cluster.text_problems)."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"text_problems": _text_problems}
