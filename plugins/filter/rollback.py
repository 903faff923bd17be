# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
name: rollback
short_description: Picks the kept release that a rollback brings back
version_added: 0.2.0
author: The celeryops.cluster authors (@celeryops)
description:
  - By default the last release that ran before the newest one that runs on any of the hosts.
  - A release that a rollback has left isn't brought back by another one, unless it is named.
options:
  _input:
    description:
      - By the name of each host, a dictionary with C(marks), the files C(release.json) and C(ran)
        of its releases with C(path) and C(mtime), and with C(runs), the names of the releases that
        its links lead to.
    type: dictionary
    required: true
  wanted:
    description: Name of the release, if it isn't to be picked.
    type: string
    default: ""
"""

EXAMPLES = r"""
- name: Show what a rollback would bring back
  ansible.builtin.debug:
    msg: "{{ (kept | celeryops.cluster.rollback).release }}"
  vars:
    kept:
      worker1:
        runs: [1.4.0-ab12]
        marks:
          - {path: /opt/celeryops/shop/releases/1.3.0-ef56/release.json, mtime: 1000}
          - {path: /opt/celeryops/shop/releases/1.3.0-ef56/ran, mtime: 1010}
          - {path: /opt/celeryops/shop/releases/1.4.0-ab12/release.json, mtime: 2000}
          - {path: /opt/celeryops/shop/releases/1.4.0-ab12/ran, mtime: 2010}
"""

RETURN = r"""
_value:
  description:
    - C(release), its name, and C(left), a list of those that ran after it.
    - C(problem) is a sentence where it isn't complete on every host, and empty where it is.
  type: dictionary
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.celeryops.cluster.plugins.plugin_utils._rollback import rollback


class FilterModule:
    """The filter C(celeryops.cluster.rollback)."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"rollback": rollback}
