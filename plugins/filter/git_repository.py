# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
name: git_repository
short_description: Tells the repository from which an application comes
version_added: 0.2.0
author: The celeryops.cluster authors (@celeryops)
description:
  - Takes a source that begins with C(git+) or C(git@).
options:
  _input:
    description: The application's source, as in C(celery_app_source).
    type: string
    required: true
"""

EXAMPLES = r"""
- name: Show the repository
  ansible.builtin.debug:
    msg: "{{ 'git+https://git.example/shop' | celeryops.cluster.git_repository }}"
"""

RETURN = r"""
_value:
  description: The repository's URL; empty where the source is none.
  type: string
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.celeryops.cluster.plugins.plugin_utils._release import git_repository


class FilterModule:
    """The filter C(celeryops.cluster.git_repository)."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"git_repository": git_repository}
