# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
name: subject_alt_name
short_description: Writes a host's name or address as a certificate's subject alternative name
version_added: 0.1.0
author: The celeryops.cluster authors (@celeryops)
description:
  - Addresses become C(IP:…), all else C(DNS:…).
options:
  _input:
    description: The name or address.
    type: string
    required: true
"""

EXAMPLES = r"""
- name: Show a subject alternative name
  ansible.builtin.debug:
    msg: "{{ '127.0.0.1' | celeryops.cluster.subject_alt_name }}"
"""

RETURN = r"""
_value:
  description: The subject alternative name.
  type: string
  sample: IP:127.0.0.1
"""

from collections.abc import Callable
from ipaddress import ip_address
from typing import Any


def subject_alt_name(name: str) -> str:
    try:
        return f"IP:{ip_address(name)}"
    except ValueError:
        return f"DNS:{name}"


class FilterModule:
    """The filter C(celeryops.cluster.subject_alt_name)."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"subject_alt_name": subject_alt_name}
