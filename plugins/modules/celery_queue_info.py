#!/usr/bin/python
# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: celery_queue_info
version_added: 0.2.0
short_description: Read what waits in queues, for how long, and who serves them
description:
  - Reads queues from the broker, and asks the nodes which of them they consume from.
  - What can't be known is null, and RV(queues.unknown) says why. Nothing is guessed, and no message
    is touched.
extends_documentation_fragment:
  - celeryops.cluster.attributes
  - celeryops.cluster.attributes.read_only
  - celeryops.cluster.celery
options:
  queues:
    description:
      - Names of queues, or globs like V(mail*).
      - By default the queues that the selected nodes consume from, and those that the inventory
        gives them.
      - A glob also finds the other queues of Redis, and of RabbitMQ where its management API is
        known. The queues that Celery keeps for itself, like a node's direct queue C(*.dq2), are
        found only by their name or by a glob that ends like it.
    type: list
    elements: str
    default: []
  nodes:
    description:
      - Names of nodes, or globs like V(cpu*@worker1), that are asked.
      - By default the whole cluster, since a queue belongs to no host, with workers that the
        inventory doesn't know.
    type: list
    elements: str
  observe:
    description:
      - Seconds to wait for a second look at messages without a stamp, on Redis.
      - A message that is still the next one has waited at least as long. By default there is no
        second look, and the age of such a message is unknown.
    type: float
    default: 0
  most_unacked:
    description:
      - On Redis the messages that workers hold are kept together for all queues, and each must be
        looked at to tell its queue. At most so many are, since they may be large.
    type: int
    default: 10000
notes:
  - The age of the oldest message needs the stamp that the package C(celeryops_runtime) writes on
    each task that a worker or beat sends. Other publishers write it too if they load the app from
    that package. A task with an ETA waits from that moment on, and a retry from its own sending.
  - RabbitMQ shows no message without taking it out of its queue and marking it as redelivered,
    which this module never does. RV(queues.wait) says there how long the last task waited that
    came to a worker.
  - RabbitMQ's management API is used where C(celery_app_management_url) names it. It alone tells
    the type of a queue and the messages that workers hold; the latter are up to 6 seconds old for a
    quorum queue.
  - A silent node makes the call last 2.5 seconds. It doesn't make the module fail.
seealso:
  - module: celeryops.cluster.celery_health
  - module: celeryops.cluster.celery_queue
author:
  - The celeryops.cluster authors (@celeryops)
"""

EXAMPLES = r"""
- name: Read all queues of the app
  celeryops.cluster.celery_queue_info:
    app: shop
  register: shop
  run_once: true

- name: No task has waited for longer than five minutes
  ansible.builtin.assert:
    that: (item.value.oldest.age or 0) < 300
  loop: "{{ shop.queues | dict2items }}"
  loop_control:
    label: "{{ item.key }}"
  run_once: true

- name: See whether a queue moves whose publishers write no stamp
  celeryops.cluster.celery_queue_info:
    app: shop
    queues: legacy
    observe: 5
  run_once: true

- name: Read the queues of a cluster that was set up by other means
  celeryops.cluster.celery_queue_info:
    broker_url: "{{ broker_password | celeryops.cluster.broker_url(host='broker1', path=0) }}"
    queues: ["*"]
  delegate_to: localhost
  run_once: true
"""

RETURN = r"""
queues:
  description: The queues by name.
  returned: success
  type: dict
  contains:
    exists:
      description:
        - Whether there is such a queue.
        - On Redis it is there when an exchange leads to it, or when it holds a message.
      type: bool
      returned: always
    type:
      description: V(classic), V(quorum) or V(stream), on RabbitMQ.
      type: str
      returned: always
    ready:
      description: The messages that wait, of all priorities.
      type: int
      returned: always
    priorities:
      description: The same by priority step, on Redis. The lowest number is served first.
      type: dict
      returned: always
    unacked:
      description: The messages that workers hold, running or not.
      type: int
      returned: always
    unacked_exact:
      description: Whether these were all counted. Else there are at least so many.
      type: bool
      returned: always
    consumers:
      description: The consumers that RabbitMQ counts, with those that are no node.
      type: int
      returned: always
    nodes:
      description: The nodes that answered and consume from the queue.
      type: list
      elements: str
      returned: always
    processes:
      description: The number of their processes.
      type: int
      returned: always
    head:
      description: The C(id) and the C(task) of the message that is served next, on Redis.
      type: dict
      returned: always
    oldest:
      description:
        - The V(age) of the oldest message in seconds, and its V(kind).
        - V(exact) is by the publisher's stamp, or null for an empty queue. V(at_least) means that
          no more is known than this bound, and V(unknown) nothing.
      type: dict
      returned: always
    wait:
      description:
        - For how many V(seconds) the task had waited that came last to a node, how many seconds
          V(ago) that was, and at which V(node).
        - It is null where no stamped task has come since the nodes' start.
      type: dict
      returned: always
    unknown:
      description: Why something of this is null or inexact, by its name.
      type: dict
      returned: always
  sample:
    default:
      exists: true
      type: null
      ready: 12
      priorities:
        "0": 12
        "3": 0
        "6": 0
        "9": 0
      unacked: 2
      unacked_exact: true
      consumers: null
      nodes: [cpu1@worker1]
      processes: 2
      head:
        id: 5f3c1f8e-0c6b-4c57-b1a5-9f7e3f6a3f10
        task: shop.pay
      oldest:
        age: 3.214
        kind: exact
      wait:
        seconds: 2.87
        ago: 0.412
        node: cpu1@worker1
      unknown:
        consumers: Redis counts no consumers
        type: a queue on Redis has no type
nodes:
  description: The nodes that answered, with their queues and the number of their processes.
  returned: success
  type: dict
  sample:
    cpu1@worker1:
      queues: [default]
      processes: 2
missing:
  description: The nodes that were silent. Whether they serve a queue isn't known.
  returned: success
  type: list
  elements: str
  sample: []
errors:
  description: Why a node didn't tell its queues or processes, by its name.
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
  sample: 0.15
"""

from dataclasses import asdict
from typing import Any

from ansible_collections.celeryops.cluster.plugins.module_utils._arguments import Session, run
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import CeleryOpsError
from ansible_collections.celeryops.cluster.plugins.module_utils._nodes import ALL, Selection
from ansible_collections.celeryops.cluster.plugins.module_utils._queue_info import (
    Order,
    gather_queues,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._queues import queues_by

OPTIONS: dict[str, dict[str, Any]] = {
    "queues": {"type": "list", "elements": "str", "default": []},
    "observe": {"type": "float", "default": 0.0},
    "most_unacked": {"type": "int", "default": 10_000},
}


def queue_info(session: Session) -> dict[str, Any]:
    params, cluster = session.params, session.cluster
    for option in ("observe", "most_unacked"):
        if params[option] < 0:
            raise CeleryOpsError(f"`{option}` must not be below 0, and is {params[option]}.")
    order = Order(params["queues"], params["observe"], params["most_unacked"])
    selection = Selection(tuple(params["nodes"] or (ALL,)), params["pool"])
    with session.client() as client:
        steps = queues_by(client, cluster.broker)
        return asdict(gather_queues(client, cluster, steps, selection, order))


def main() -> None:
    run(OPTIONS, queue_info)


if __name__ == "__main__":
    main()
