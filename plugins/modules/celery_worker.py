#!/usr/bin/python
# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: celery_worker
version_added: 0.2.0
short_description: Pause, drain and resume Celery workers, live
description:
  - Lets worker nodes stop consuming from their queues, waits until they have nothing left, or lets
    them consume again, without a restart. It also switches the events of their tasks.
  - A worker is stopped and started by its service manager, not by this module.
  - A node that is paused consumes from no queue, runs what it holds, and still answers. Its own
    queue, C(<node>.dq2), stays, so that canaries reach it.
  - A node is drained when it is paused and runs and holds no task, and none of its tasks is
    unacknowledged. After that, even C(kill -9) makes the broker give out no task again. Tasks with
    a time to come (C(eta), C(countdown)) don't count, though a node may hold some on Redis and with
    classic queues. It runs one whose time comes while it is paused, and hands the others back when
    its service stops.
  - That a node is paused is lost when its worker starts anew, which consumes from all its queues.
extends_documentation_fragment:
  - celeryops.cluster.attributes
  - celeryops.cluster.attributes.changing
  - celeryops.cluster.celery.changing_nodes
  - celeryops.cluster.celery
options:
  state:
    description:
      - V(consuming) lets the nodes consume from all queues that they should consume from by the
        inventory, or by what M(celeryops.cluster.celery_consumer) has persisted. Further queues
        are left alone. With O(broker_url) this isn't known, and a paused node is an error.
      - V(paused) lets them consume from no queue.
      - V(drained) pauses them all at once, and waits until each has nothing left, for as long as
        O(timeout) says. It takes at least 1.5 seconds, for which each must have shown no task.
      - By default this is left as it is.
    type: str
    choices: [consuming, paused, drained]
  queues:
    version_added: 0.2.0
    description:
      - The only queues that O(state) is about, of those that the inventory knows; by default all.
      - The nodes go on with their other queues. With V(drained), tasks of these queues alone are
        waited for, and those of which it can't be told where they came from.
      - A node that has none of them is as it should be.
      - A node that was paused as a whole takes tasks of these queues again with V(consuming).
    type: list
    elements: str
    default: []
  events:
    description:
      - Whether the tasks of the nodes send events, which monitors like Flower show.
      - By default this is left as it is. It lasts until the worker starts anew.
      - Without the runtime package of this collection, a worker that was started with events on
        can't switch them off, which is an error, and check mode can't tell whether they are on and
        reports a change.
    type: bool
  on_timeout:
    description:
      - What becomes of a node that isn't drained within O(timeout). Those that are stay drained.
      - V(resume) lets it consume as before, and the module fails. This also happens if the module
        is interrupted.
      - V(fail) leaves it paused, and the module fails.
      - V(stay) leaves it paused, and the module succeeds with RV(drained=false). To see how far it
        has come, give a short O(timeout), and run the module again until RV(drained=true).
    type: str
    choices: [resume, stay, fail]
    default: resume
notes:
  - A busy worker of kind C(solo) answers between two tasks only. It is told to pause all the same,
    and waited for.
  - Pausing keeps on working while the broker is away for a while, within O(timeout).
seealso:
  - module: celeryops.cluster.celery_consumer
  - module: celeryops.cluster.celery_health
author:
  - The celeryops.cluster authors (@celeryops)
"""

EXAMPLES = r"""
- name: Drain the nodes of each host, and allow ten minutes for their tasks
  celeryops.cluster.celery_worker:
    app: shop
    state: drained
    timeout: 600

- name: Drain all nodes of the cluster, and come back every 10 seconds to see what is left
  celeryops.cluster.celery_worker:
    app: shop
    nodes: all
    state: drained
    timeout: 10
    on_timeout: stay
  register: draining
  until: draining is success and draining.drained
  retries: 60
  delay: 0
  run_once: true

- name: Let them work again
  celeryops.cluster.celery_worker:
    app: shop
    nodes: all
    state: consuming
  run_once: true

- name: Let nobody work on a queue, and wait until nobody does
  celeryops.cluster.celery_worker:
    app: shop
    nodes: all
    queues: [mail]
    state: drained
    timeout: 600
  run_once: true

- name: Let the tasks of one pool send events
  celeryops.cluster.celery_worker:
    app: shop
    pool: cpu
    events: true
"""

RETURN = r"""
nodes:
  description: The nodes that answered, by name.
  returned: when the nodes could be read
  type: dict
  contains:
    before:
      description:
        - The node before. C(state) is V(consuming) or V(paused), or V(drained) if O(state=drained)
          and it has nothing left. C(queues) are those it consumes from. C(events) is there with
          O(events), and V(null) if it isn't known.
      type: dict
      returned: always
    after:
      description: The node afterwards; in check mode, as it would be.
      type: dict
      returned: always
  sample:
    cpu1@worker1:
      before: {state: consuming, queues: [default]}
      after: {state: drained, queues: []}
drained:
  description: Whether all nodes are drained.
  returned: when O(state=drained)
  type: bool
  sample: true
remaining:
  description:
    - The tasks that each node still runs or holds, with C(id), C(name), and C(runtime), the seconds
      since its start, which is V(null) if it hasn't started.
  returned: when O(state) is V(paused) or V(drained)
  type: dict
  sample:
    cpu1@worker1:
      - id: 6d1c5c2e-4bd0-4b0a-93a5-8f1b8d0c9f4e
        name: shop.report
        runtime: 12.5
missing:
  description: The nodes that were silent. The others are changed, then the module fails.
  returned: when the nodes could be read
  type: list
  elements: str
  sample: []
errors:
  description: Why a node isn't as it should be, by name. The module fails then.
  returned: when the nodes could be read
  type: dict
  sample: {}
duplicates:
  description: The names that more than one worker bears. The module fails before it changes them.
  returned: when the nodes could be read
  type: list
  elements: str
  sample: []
elapsed:
  description: Seconds that the module took.
  returned: always
  type: float
  sample: 2.1
"""

from typing import Any

from ansible_collections.celeryops.cluster.plugins.module_utils._arguments import Session, run
from ansible_collections.celeryops.cluster.plugins.module_utils._nodes import selected
from ansible_collections.celeryops.cluster.plugins.module_utils._worker import Wish, set_workers

OPTIONS: dict[str, dict[str, Any]] = {
    "state": {"type": "str", "choices": ["consuming", "paused", "drained"]},
    "queues": {"type": "list", "elements": "str", "default": []},
    "events": {"type": "bool"},
    "on_timeout": {"type": "str", "choices": ["resume", "stay", "fail"], "default": "resume"},
}


def worker(session: Session) -> dict[str, Any]:
    params, cluster = session.params, session.cluster
    queues = frozenset(params["queues"])
    wish = Wish(params["state"], params["events"], params["on_timeout"], queues)
    with session.client() as client:
        nodes = selected(client, cluster, session.selection(anywhere=False))
        return set_workers(client, cluster, nodes, wish, session.check_mode)


def main() -> None:
    run(OPTIONS, worker, required_one_of=[("state", "events")])


if __name__ == "__main__":
    main()
