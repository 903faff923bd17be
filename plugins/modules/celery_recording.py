#!/usr/bin/python
# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: celery_recording
version_added: 0.2.0
short_description: Record what a Celery cluster does while something is done to it
description:
  - Looks at all nodes and queues of the cluster every few seconds, and writes a line of JSON for
    each look. It lasts until its file is removed or O(lease) is over, so that it is to be started
    with C(async) and C(poll=0).
  - A line has the C(time) in seconds of Unix time; by node under C(nodes) the number of tasks that
    it has begun since its start (C(done)), its C(release), and whether it is C(paused); under
    C(queues) the number of messages that wait in each. Or it has an C(error) that says why nothing
    could be seen.
  - The playbooks that change workers batch by batch make their report of it.
extends_documentation_fragment:
  - celeryops.cluster.attributes
  - celeryops.cluster.attributes.read_only
  - celeryops.cluster.celery
options:
  path:
    description:
      - The file that is written, with mode C(0600). One that is there is replaced, and a recording
        that was writing to it ends.
      - When lines become very many, every other one is dropped.
    type: path
    required: true
  interval:
    description:
      - Seconds from one look to the next. A look that takes long makes it longer, so that the
        cluster is never busy with being looked at.
    type: float
    default: 2.0
  lease:
    description:
      - Seconds after which the recording ends by itself, unless the time of the last access to
        the file is renewed, as M(ansible.builtin.file) does with
        O(ansible.builtin.file#module:state=touch).
    type: float
    default: 3600.0
  reference_time:
    description:
      - The time on the controller, in seconds of Unix time, when the task begins. The lines have
        the controller's time then, and otherwise that of the host.
    type: float
  nodes:
    description: Has no effect, since all nodes are recorded.
    type: list
    elements: str
  pool:
    description: Has no effect, since all nodes are recorded.
    type: str
  timeout:
    description: Seconds for one look.
    type: float
    default: 10.0
author:
  - The celeryops.cluster authors (@celeryops)
"""

EXAMPLES = r"""
- name: Record what the cluster does
  celeryops.cluster.celery_recording:
    app: shop
    path: /run/celeryops-shop.jsonl
    lease: 1800
    reference_time: "{{ now().timestamp() }}"
  async: 86400
  poll: 0

- name: Half an hour more
  ansible.builtin.file:
    path: /run/celeryops-shop.jsonl
    state: touch
    modification_time: preserve
    mode: "0600"

- name: Read the recording
  ansible.builtin.slurp:
    src: /run/celeryops-shop.jsonl
  register: recording

- name: It ends
  ansible.builtin.file:
    path: /run/celeryops-shop.jsonl
    state: absent
"""

RETURN = r"""
looks:
  description: The number of looks that were taken.
  returned: success
  type: int
  sample: 120
elapsed:
  description: Seconds that the module took.
  returned: always
  type: float
  sample: 251.3
"""

import time
from pathlib import Path
from typing import Any

from ansible_collections.celeryops.cluster.plugins.module_utils._arguments import Session, run
from ansible_collections.celeryops.cluster.plugins.module_utils._control_file import read_cluster
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import CeleryOpsError
from ansible_collections.celeryops.cluster.plugins.module_utils._recording import (
    Look,
    Order,
    look,
    record,
)

OPTIONS: dict[str, dict[str, Any]] = {
    "path": {"type": "path", "required": True},
    "interval": {"type": "float", "default": 2.0},
    "lease": {"type": "float", "default": 3600.0},
    "reference_time": {"type": "float"},
}


def recording(session: Session) -> dict[str, Any]:
    params = session.params
    for option in ("interval", "lease"):
        if params[option] <= 0:
            raise CeleryOpsError(f"`{option}` must be above 0 seconds, not {params[option]}.")
    reference = params["reference_time"]
    ahead = 0.0 if reference is None else time.time() - session.elapsed() - reference

    def see() -> Look:
        # What is to be expected changes while it lasts.
        cluster = read_cluster(params["app"]) if params["app"] else session.cluster
        return look(cluster, params["timeout"])

    order = Order(Path(params["path"]), params["interval"], params["lease"])
    if session.check_mode:
        return {"looks": 0}
    return {"looks": record(order, see, lambda: time.time() - ahead)}


def main() -> None:
    run(OPTIONS, recording)


if __name__ == "__main__":
    main()
