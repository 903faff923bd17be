#!/usr/bin/python
# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: celery_task
version_added: 0.2.0
short_description: Send, revoke, terminate and retry Celery tasks
description:
  - Sends tasks by their names, without the code of the application, and revokes, terminates or
    retries tasks by their ids.
  - Before a task is sent, the nodes are asked where the app sends it and whether they know it. A
    task that its workers would drop, and a queue that doesn't exist, are refused with the name
    that was probably meant.
  - A message is published once. RabbitMQ must confirm that it is in a queue. If the connection
    breaks meanwhile, the module says that it isn't known whether the task was sent, and doesn't
    send it again.
  - What was revoked or terminated is read back from each node.
extends_documentation_fragment:
  - celeryops.cluster.attributes
  - celeryops.cluster.attributes.changing
  - celeryops.cluster.celery
attributes:
  idempotent:
    support: partial
    details:
      - With O(state=sent), a task is sent anew each time unless O(id) is given.
      - With O(stamps), tasks are revoked anew each time, since what workers keep of it can't be
        read.
      - With O(force=true), tasks are sent anew each time.
options:
  state:
    description:
      - V(sent) sends O(task), O(chain) or O(group).
      - V(revoked) keeps the tasks O(ids), or those that bear O(stamps), from being run. Those that
        run go on.
      - V(terminated) does so too, and ends those that run. The pool must be of kind C(prefork),
        C(gevent) or C(eventlet). In C(prefork), the process gets the O(signal), and a process that
        has begun its next task in this moment loses that one.
      - V(retried) sends a failed or revoked task of O(ids) again, under a new id, with the name,
        the arguments and the queue of its result. The rest of its chain isn't sent again.
    type: str
    choices: [sent, revoked, terminated, retried]
    default: sent
  task:
    description:
      - The name of the task.
      - With O(state=retried), it is only needed where the result doesn't hold the name, as without
        the setting C(result_extended), and for a task that was revoked before it was run.
    type: str
  args:
    description: The arguments by position.
    type: list
    elements: raw
  kwargs:
    description: The arguments by name.
    type: dict
  group:
    description: Tasks that are sent at once and don't wait for each other.
    type: list
    elements: dict
    suboptions: &signature
      task:
        description: The name of the task.
        type: str
        required: true
      args:
        description: The arguments by position.
        type: list
        elements: raw
      kwargs:
        description: The arguments by name.
        type: dict
      queue:
        description: The queue, instead of O(queue).
        type: str
      priority:
        description: The priority, instead of O(priority).
        type: int
  chain:
    description:
      - Tasks of which each one is run when the one before has succeeded.
      - Each gets the result of the one before as its first argument, unless it is immutable.
    type: list
    elements: dict
    suboptions:
      <<: *signature
      immutable:
        description: Whether the task doesn't get the result of the one before.
        type: bool
        default: false
  queue:
    description:
      - The queue. By default the app's own route for the task, which a node of the kit tells.
      - It must be given with O(broker_url), and where no node answers.
    type: str
  priority:
    description:
      - The priority. On Redis, V(0) is the highest. On RabbitMQ, a greater number is higher, and
        quorum queues know only below 5 and from 5 on.
    type: int
  countdown:
    description: Seconds before which the task isn't run.
    type: float
  eta:
    description:
      - The moment before which the task isn't run, with its time zone, for example
        V(2030-01-31T03:00:00+00:00).
    type: str
  expires:
    description: Seconds from now after which the task is dropped if it hasn't begun.
    type: float
  headers:
    description: Further headers of the message.
    type: dict
  stamps:
    description:
      - With O(state=sent), stamps by which the tasks can be revoked together, like C(order=17).
      - With V(revoked) and V(terminated) of O(state), the tasks that bear any of them. A list
        stands for any of its values.
    type: dict
  id:
    description:
      - The id of the task that is sent. A task that the result backend or a worker knows by this id
        isn't sent again. For that, the module notes in the result backend what it sends, since
        nobody else knows a task that waits in its queue.
      - The tasks of a chain or a group get this id with C(-1), C(-2) and so on. Of a group, those
        that weren't sent yet are sent; a chain is sent as a whole or not at all.
      - By default a new id. With O(state=retried), one that is derived from the old one, so that
        a failure is retried once, however often the module runs.
    type: str
  ids:
    description: The tasks to revoke or terminate, or the one to retry.
    type: list
    elements: str
  signal:
    description: What a process of kind C(prefork) gets with O(state=terminated).
    type: str
    choices: [SIGTERM, SIGINT, SIGQUIT, SIGUSR1, SIGKILL]
    default: SIGTERM
  wait:
    description:
      - Whether to wait for the result, for at most O(timeout) seconds. A task that fails, or whose
        result isn't there in time, makes the module fail.
    type: bool
    default: false
  force:
    description:
      - Whether to send a task that no node knows, to a queue that nobody consumes from, with an
        O(id) that was sent before, or again although it hasn't failed.
    type: bool
    default: false
  nodes:
    description:
      - Names of nodes, or globs like V(cpu*@worker1).
      - By default all nodes of the cluster, on whatever host the module runs, since any of them may
        get the task.
    type: list
    elements: str
  result_backend:
    description: The URL of the result backend, together with O(broker_url).
    type: str
notes:
  - A worker keeps what is revoked in its memory, for 3 hours, and a new worker learns it from the
    others when it starts. A task whose O(eta) is later may be run all the same.
  - Secrets among the arguments are hidden in what is returned and in what workers log, if their
    names tell them. Others need C(no_log) and are visible to everybody who can read the broker.
  - Nodes that don't answer are waited for up to 2.5 seconds. They don't make O(state=sent) fail.
seealso:
  - module: celeryops.cluster.celery_task_info
  - module: celeryops.cluster.celery_queue
author:
  - The celeryops.cluster authors (@celeryops)
"""

EXAMPLES = r"""
- name: Send a task and use its result
  celeryops.cluster.celery_task:
    app: shop
    task: shop.tasks.count_orders
    kwargs: {day: "2026-11-21"}
    wait: true
    timeout: 60
  register: orders
  run_once: true

- name: Send a task once for each release, however often the play is run
  celeryops.cluster.celery_task:
    app: shop
    task: shop.tasks.rebuild_index
    id: "rebuild-index-{{ celery_app_version }}"
    queue: slow
    expires: 3600
  run_once: true

- name: Import a catalogue, then tell everybody
  celeryops.cluster.celery_task:
    app: shop
    chain:
      - task: shop.tasks.import_catalogue
        args: [/srv/catalogue.csv]
      - task: shop.tasks.send_news
        queue: mail
  run_once: true

- name: Keep two tasks from being run, and end them where they run
  celeryops.cluster.celery_task:
    app: shop
    state: terminated
    ids: [5b7c6a52-6d7f-4e0c-9f2b-9a0c1f6f6f11, 0e6d7c1e-2f0f-4c0c-8b58-5c2d9f3f7a53]
  run_once: true

- name: Retry what has failed within the last hour
  celeryops.cluster.celery_task:
    app: shop
    state: retried
    ids: ["{{ item }}"]
  loop: "{{ lately.failures }}"
  run_once: true
"""

RETURN = r"""
id:
  description: The id of the task, or the name of the chain or group.
  returned: when a task was sent or retried
  type: str
  sample: rebuild-index-1.4.0
tasks:
  description: The tasks by their ids.
  returned: when the nodes were read
  type: dict
  contains:
    before:
      description: The state before; null where nobody knew the task.
      type: str
      returned: when tasks were sent or retried
    after:
      description: The state afterwards. V(PENDING) stands for a task that was sent.
      type: str
      returned: when tasks were sent or retried
    task:
      description: The name of the task.
      type: str
      returned: when tasks were sent or retried
    queue:
      description: The queue; null where only the worker that sends it later knows.
      type: str
      returned: when tasks were sent or retried
    consumers:
      description: The nodes that consume from the queue. Without any, the task waits there.
      type: list
      elements: str
      returned: when tasks were sent or retried
    held_by:
      description: The nodes that held the task before, with V(active), V(reserved) or V(scheduled).
      type: dict
      returned: when tasks were revoked or terminated
  sample:
    rebuild-index-1.4.0:
      before: null
      after: PENDING
      task: shop.tasks.rebuild_index
      queue: slow
      consumers: [slow1@worker1]
result:
  description: The result of the task or of the last task of a chain; a list of them for a group.
  returned: when O(wait=true)
  type: raw
  sample: 512
retry_of:
  description: The task that was retried.
  returned: when O(state=retried)
  type: str
  sample: 5b7c6a52-6d7f-4e0c-9f2b-9a0c1f6f6f11
nodes:
  description: The nodes that answered, by name.
  returned: when the nodes were read
  type: dict
  contains:
    queues:
      description: The queues that the node consumes from.
      type: list
      elements: str
      returned: when tasks were sent or retried
    before:
      description: Which of O(ids) the node kept as revoked.
      type: raw
      returned: when tasks were revoked or terminated
    after:
      description: Which of O(ids) it keeps as revoked; in check mode, as it would be.
      type: raw
      returned: when tasks were revoked or terminated
  sample:
    slow1@worker1:
      queues: [slow]
missing:
  description: The nodes that were silent. With V(revoked) and V(terminated), the module fails then.
  returned: when the nodes were read
  type: list
  elements: str
  sample: []
errors:
  description: Why a node refused or hasn't done it, by name.
  returned: when the nodes were read
  type: dict
  sample: {}
duplicates:
  description: The names that more than one worker bears.
  returned: when the nodes were read
  type: list
  elements: str
  sample: []
elapsed:
  description: Seconds that the module took.
  returned: always
  type: float
  sample: 0.21
"""

from dataclasses import replace
from typing import Any

from ansible_collections.celeryops.cluster.plugins.module_utils._arguments import Session, run
from ansible_collections.celeryops.cluster.plugins.module_utils._control_file import Backend
from ansible_collections.celeryops.cluster.plugins.module_utils._nodes import (
    ALL,
    Selection,
    selected,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._task import check_options, operate

STATES = ["sent", "revoked", "terminated", "retried"]
SIGNALS = ["SIGTERM", "SIGINT", "SIGQUIT", "SIGUSR1", "SIGKILL"]
SIGNATURE: dict[str, dict[str, Any]] = {
    "task": {"type": "str", "required": True},
    "args": {"type": "list", "elements": "raw"},
    "kwargs": {"type": "dict"},
    "queue": {"type": "str"},
    "priority": {"type": "int"},
}
IMMUTABLE = {"immutable": {"type": "bool", "default": False}}
OPTIONS: dict[str, dict[str, Any]] = {
    **SIGNATURE,
    "task": {"type": "str"},
    "state": {"type": "str", "choices": STATES, "default": "sent"},
    "chain": {"type": "list", "elements": "dict", "options": {**SIGNATURE, **IMMUTABLE}},
    "group": {"type": "list", "elements": "dict", "options": SIGNATURE},
    "countdown": {"type": "float"},
    "eta": {"type": "str"},
    "expires": {"type": "float"},
    "headers": {"type": "dict"},
    "stamps": {"type": "dict"},
    "id": {"type": "str"},
    "ids": {"type": "list", "elements": "str"},
    "signal": {"type": "str", "choices": SIGNALS, "default": "SIGTERM"},
    "wait": {"type": "bool", "default": False},
    "force": {"type": "bool", "default": False},
    "result_backend": {"type": "str", "no_log": True},
}


def task(session: Session) -> dict[str, Any]:
    params, cluster = session.params, session.cluster
    check_options(params)
    if params["result_backend"]:
        backend = Backend(params["result_backend"], "the option `result_backend`")
        cluster = replace(cluster, backend=backend)
    with session.client() as client:
        selection = Selection(tuple(params["nodes"] or (ALL,)), params["pool"])
        nodes = selected(client, cluster, selection)
        return operate(client, cluster, nodes, params, session.check_mode)


def main() -> None:
    run(OPTIONS, task, mutually_exclusive=[("app", "result_backend")])


if __name__ == "__main__":
    main()
