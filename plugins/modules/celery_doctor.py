#!/usr/bin/python
# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: celery_doctor
version_added: 0.2.0
short_description: Find out what is wrong on a host of a Celery cluster, and how to mend it
description:
  - Examines the host that it runs on, and returns RV(findings), each with its cause and its fix. It
    changes nothing, and asks no worker, so that it also works when the broker is down.
  - "The way to the broker and to the result backend: whether their names resolve, whether each of
    their addresses takes connections, or rather a firewall or a wrong entry of C(/etc/hosts) is in
    the way, and whether they let in with the user and the password of operators, and of workers
    where those are others."
  - "The services of the app, and those of a broker, result backend or proxy that the collection
    has set up: whether they run, were restarted after crashes, start at the next boot, and what
    their log says of a failure."
  - The open files of their live processes, against the limit that these have and that their unit
    says.
  - The space and the inodes of the file systems that they write to.
  - "The end of certificates that the proxy, the broker's clients and signed messages use."
  - The playbook C(celeryops.cluster.doctor) runs it on all hosts, and judges the cluster as a
    whole.
extends_documentation_fragment:
  - celeryops.cluster.attributes
  - celeryops.cluster.attributes.read_only
  - celeryops.cluster.celery
options:
  nodes:
    description:
      - Names of nodes of this host, or globs like V(cpu*), whose services are examined.
      - By default all of them, as with V(all). Services that aren't a node's are always examined.
    type: list
    elements: str
  pool:
    description: Of the nodes' services only those of this pool.
    type: str
  timeout:
    description:
      - Seconds for the whole examination, at least 5. What doesn't answer within them counts as
        silent.
    type: float
    default: 20.0
  reference_time:
    description:
      - The time on the controller, in seconds of Unix time, to tell RV(clock_offset). It must be
        taken when the task begins.
    type: float
  details:
    description:
      - Whether to return RV(details), for a support bundle.
    type: bool
    default: false
notes:
  - The module doesn't fail because of what it finds. It fails only for wrong options, for an app
    that the host doesn't know, and where the host isn't managed by systemd.
  - Certificates that servers show and that no file of this host holds are looked at by
    M(celeryops.cluster.celery_health).
seealso:
  - module: celeryops.cluster.celery_health
  - module: celeryops.cluster.celery_queue_info
author:
  - The celeryops.cluster authors (@celeryops)
"""

EXAMPLES = r"""
- name: Examine the host
  celeryops.cluster.celery_doctor:
    app: shop
    reference_time: "{{ now().timestamp() }}"
  register: shop

- name: Say what keeps tasks from being done, and how to mend it
  ansible.builtin.debug:
    msg: "{{ item.cause }} {{ item.fix }}"
  loop: "{{ shop.findings | selectattr('severity', 'equalto', 'error') }}"
"""

RETURN = r"""
findings:
  description: What is wrong.
  returned: success
  type: list
  elements: dict
  contains:
    check:
      description:
        - What was looked at, V(name), V(port), V(firewall), V(login), V(unit), V(open files),
          V(disk) or V(certificate).
      type: str
      returned: always
    severity:
      description: V(error) for what keeps tasks from being done, V(warning) for what soon may.
      type: str
      returned: always
    cause:
      description: What was found.
      type: str
      returned: always
    fix:
      description: What to do about it.
      type: str
      returned: always
    node:
      description: The node that it is about; null for the host.
      type: str
      returned: always
    host:
      description: The host, by its name in the inventory.
      type: str
      returned: always
  sample:
    - check: unit
      severity: error
      cause: celery-shop-cpu@1.service is stopped.
      fix: Start it by `systemctl start celery-shop-cpu@1.service`.
      node: cpu1@worker1
      host: worker1
host:
  description: The host, by its name in the inventory; null with O(broker_url).
  returned: success
  type: str
  sample: worker1
units:
  description: The services that were examined, as the service manager shows them.
  returned: success
  type: list
  elements: dict
  sample: []
clock_offset:
  description:
    - Seconds by which the clock of the host is ahead of O(reference_time), with those that it took
      to start the module. Null without O(reference_time).
  returned: success
  type: float
  sample: 0.4
routes:
  description:
    - The C(task), by name or glob, and the C(queue) of each entry of C(task_routes) in the
      deployment's settings.
  returned: success
  type: list
  elements: dict
  sample: [{task: shop.mail, queue: mail}]
releases:
  description: Each C(instance) and the C(release) that it runs.
  returned: success
  type: list
  elements: dict
  sample: [{instance: cpu1, release: 1.4.0-1a2b3c4d}]
details:
  description:
    - "With O(details), C(logs) (each C(unit) and the last C(lines) of its log in the journal, then
      in its file), C(files) (the control file and the deployment's settings) and C(versions)."
    - Passwords, keys and tokens are replaced by V(***), those that look like it, and wherever they
      appear those that the app's files on the host hold.
  returned: success
  type: dict
  sample: null
elapsed:
  description: Seconds that the module took.
  returned: always
  type: float
  sample: 0.9
"""

from typing import Any

from ansible_collections.celeryops.cluster.plugins.module_utils._arguments import Session, run
from ansible_collections.celeryops.cluster.plugins.module_utils._doctor_examination import (
    examine,
    order_of,
)

OPTIONS: dict[str, dict[str, Any]] = {
    "timeout": {"type": "float", "default": 20.0},
    "reference_time": {"type": "float"},
    "details": {"type": "bool", "default": False},
}


def doctor(session: Session) -> dict[str, Any]:
    params = session.params
    order = order_of(
        params["nodes"],
        params["pool"],
        params["reference_time"],
        params["details"],
        params["timeout"],
    )
    return examine(session.cluster, order, session.remaining)


def main() -> None:
    run(OPTIONS, doctor)


if __name__ == "__main__":
    main()
