#!/usr/bin/python
# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: celery_info
version_added: 0.1.0
short_description: Read what Celery workers tell about themselves
description:
  - Asks worker nodes by Celery's remote control and returns their answers by node.
  - All items are asked for at once. The call returns when all nodes have answered.
  - Passwords, keys and tokens are left out of every answer, and more of them than Celery itself
    hides.
extends_documentation_fragment:
  - celeryops.cluster.attributes
  - celeryops.cluster.attributes.read_only
  - celeryops.cluster.celery
options:
  queue:
    version_added: 0.2.0
    description:
      - Only nodes that consume from this queue now, whatever the inventory says.
      - A node that doesn't tell its queues is returned as missing.
    type: str
  task_ids:
    version_added: 0.2.0
    description: The ids of tasks, for V(query_task) in O(gather).
    type: list
    elements: str
  gather:
    description:
      - What to ask for.
      - V(ping) returns V(pong), and V(clock) the number of the logical clock.
      - V(stats), V(active), V(reserved), V(scheduled), V(active_queues), V(registered), V(revoked)
        and V(conf) return what C(celery inspect) shows under these names.
      - V(report) returns the head of Celery's report, with the versions of the software. The
        settings that follow in it are left out, since V(conf) returns them without their secrets.
      - V(query_task) looks for the tasks of O(task_ids) and returns those that the node has, each
        with its C(state) (V(reserved), V(scheduled), V(active) or V(ready)) and what the node knows
        of it as C(task). A task that waits in the broker, or has ended, is on no node.
      - V(release) returns the release of the application that the node runs, or null where the
        node runs without the package C(celeryops_runtime).
    type: list
    elements: str
    choices:
      - ping
      - stats
      - active
      - reserved
      - scheduled
      - active_queues
      - registered
      - revoked
      - conf
      - report
      - query_task
      - clock
      - release
    default: [ping]
notes:
  - A silent node makes the call last for the whole O(timeout). It doesn't make the module fail.
  - A node whose worker has no package C(celeryops_runtime) logs an error when it is asked for the
    V(release).
seealso:
  - module: celeryops.cluster.celery_health
  - module: celeryops.cluster.celery_pool
author:
  - The celeryops.cluster authors (@celeryops)
"""

EXAMPLES = r"""
- name: Read the statistics of the nodes on each host
  celeryops.cluster.celery_info:
    app: shop
    gather: [stats, active_queues]
  register: shop

- name: Show what the first node of the host is doing
  ansible.builtin.debug:
    var: (shop.nodes.values() | first).stats.total

- name: See which nodes of the cluster are there, from one host
  celeryops.cluster.celery_info:
    app: shop
    nodes: all
  run_once: true

- name: Read the release of one pool on a few hosts
  celeryops.cluster.celery_info:
    app: shop
    pool: cpu
    nodes: ["*@worker1", "*@worker2"]
    gather: release
  run_once: true

- name: See what the nodes run that consume from one queue
  celeryops.cluster.celery_info:
    app: shop
    nodes: all
    queue: mail
    gather: [active, reserved]
  run_once: true

- name: Find the node that has a task
  celeryops.cluster.celery_info:
    app: shop
    nodes: all
    gather: query_task
    task_ids: [8a1b0e9c-3f54-4f0c-9d5e-0c1f5f7f8f11]
  run_once: true

- name: Ask a cluster that was set up by other means
  celeryops.cluster.celery_info:
    broker_url: "redis://:{{ broker_password | celeryops.cluster.url_quote }}@broker1:6379/0"
    gather: [registered, conf]
  delegate_to: localhost
  run_once: true
"""

RETURN = r"""
nodes:
  description:
    - The answers by the name of the node, and by item.
    - An item that the node refused to give is null, and RV(errors) says why.
  returned: success
  type: dict
  sample:
    cpu1@worker1:
      ping: pong
      release: 1.4.0-1a2b3c4d
missing:
  description: The nodes that answered nothing. What they are doing isn't known.
  returned: success
  type: list
  elements: str
  sample: []
errors:
  description: Why items are lacking, by the name of the node.
  returned: success
  type: dict
  sample: {}
duplicates:
  description: The names under which more than one worker answered; the answer is the first one's.
  returned: success
  type: list
  elements: str
  sample: []
elapsed:
  description: Seconds that the module took.
  returned: always
  type: float
  sample: 0.12
"""

from dataclasses import asdict
from typing import Any

from ansible_collections.celeryops.cluster.plugins.module_utils._arguments import Session, run
from ansible_collections.celeryops.cluster.plugins.module_utils._info import gather

GATHER = [
    "ping",
    "stats",
    "active",
    "reserved",
    "scheduled",
    "active_queues",
    "registered",
    "revoked",
    "conf",
    "report",
    "query_task",
    "clock",
    "release",
]
OPTIONS: dict[str, dict[str, Any]] = {
    "queue": {"type": "str"},
    "task_ids": {"type": "list", "elements": "str"},
    "gather": {"type": "list", "elements": "str", "choices": GATHER, "default": ["ping"]},
}


def info(session: Session) -> dict[str, Any]:
    params = session.params
    with session.client() as client:
        selection = session.selection(anywhere=True)
        found = gather(
            client,
            session.cluster,
            selection,
            params["gather"],
            params["queue"],
            params["task_ids"] or (),
        )
        return asdict(found)


def main() -> None:
    run(OPTIONS, info)


if __name__ == "__main__":
    main()
