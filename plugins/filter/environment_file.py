# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
name: environment_file
short_description: Writes variables as systemd's EnvironmentFile reads them
version_added: 0.1.0
author: The celeryops.cluster authors (@celeryops)
description:
  - Each value is quoted and escaped. A name that is none and a value of several lines are errors.
options:
  _input:
    description: The variables and their values; booleans become V(1) and V(0).
    type: dictionary
    required: true
"""

EXAMPLES = r"""
- name: Write the environment of a service
  ansible.builtin.copy:
    content: "{{ {'GREETING': 'it costs $5'} | celeryops.cluster.environment_file }}"
    dest: /etc/shop.env
    mode: "0640"
"""

RETURN = r"""
_value:
  description: The file's lines.
  type: string
  sample: 'GREETING="it costs \$5"'
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.celeryops.cluster.plugins.plugin_utils._systemd import environment_file


def _environment_file(variables: Mapping[str, object]) -> str:
    try:
        return environment_file(variables)
    except ValueError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """The filter C(celeryops.cluster.environment_file)."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"environment_file": _environment_file}
