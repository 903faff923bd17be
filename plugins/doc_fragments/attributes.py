# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """What each module can do, in the words of Ansible."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return what would change, without changing anything.
  diff_mode:
    description: Returns what has changed, or would change in C(check_mode), when in diff mode.
  idempotent:
    description:
      - When run twice in a row outside check mode, with the same arguments, the second invocation
        indicates no change.
      - This assumes that the system controlled by the module hasn't changed in a relevant way.
    support: full
  action_group:
    description: Use C(group/celeryops.cluster.celery) in C(module_defaults) to set defaults.
    support: full
    membership:
      - celeryops.cluster.celery
"""

    READ_ONLY = r"""
options: {}
attributes:
  check_mode:
    support: full
    details:
      - This action does not modify state.
  diff_mode:
    support: N/A
    details:
      - This action does not modify state.
  idempotent:
    details:
      - This action does not modify state.
"""

    CHANGING = r"""
options: {}
attributes:
  check_mode:
    support: full
    details:
      - The nodes are read, and no command that changes them is sent.
  diff_mode:
    support: full
"""
