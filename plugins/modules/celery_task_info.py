#!/usr/bin/python
# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: celery_task_info
version_added: 0.2.0
short_description: Find out about Celery tasks, those that are stuck, and those that failed
description:
  - Returns the state of tasks, where they run and for how long, their results and tracebacks, from
    what the workers hold and from the result backend.
  - It finds the tasks that run for too long on any node, and those that failed lately.
  - Celery says V(PENDING) also of a task that it doesn't know. This module says V(UNKNOWN) then.
    Such a task never was, or waits in its queue, or its result has expired.
extends_documentation_fragment:
  - celeryops.cluster.attributes
  - celeryops.cluster.attributes.read_only
  - celeryops.cluster.celery
options:
  ids:
    description: The ids of tasks.
    type: list
    elements: str
  running_longer_than:
    description: Find the tasks that run for longer than these seconds.
    type: float
  failed_since:
    description:
      - Find the tasks that failed within these seconds, in the result backend.
      - Redis can't search, so that all results are read for it, in portions of 500. Others than
        Redis and databases can't list their results.
      - With O(nodes) or O(pool), only what these nodes ran. The setting C(result_extended) is
        needed for that.
    type: float
  limit:
    description: How many failed tasks are returned at most, the latest ones.
    type: int
    default: 100
  scan_limit:
    description: How many results are read for O(failed_since) at most.
    type: int
    default: 100000
  nodes:
    description:
      - Names of nodes, or globs like V(cpu*@worker1).
      - By default all nodes of the cluster, on whatever host the module runs.
    type: list
    elements: str
  result_backend:
    description: The URL of the result backend, together with O(broker_url).
    type: str
notes:
  - Only results in JSON are read.
  - How long a task runs is told by the clocks of two hosts, the worker's and the module's.
  - Secrets are hidden where their names tell them. A secret that stands alone, like an argument by
    position, can't be recognized; give C(no_log) to the task then.
  - A silent node makes the call last for 2.5 seconds longer. It doesn't make the module fail.
seealso:
  - module: celeryops.cluster.celery_task
  - module: celeryops.cluster.celery_info
author:
  - The celeryops.cluster authors (@celeryops)
"""

EXAMPLES = r"""
- name: See what has become of a task
  celeryops.cluster.celery_task_info:
    app: shop
    ids: rebuild-index-1.4.0
  register: rebuild
  run_once: true

- name: Fail if a task runs for more than an hour
  celeryops.cluster.celery_task_info:
    app: shop
    running_longer_than: 3600
  register: running
  failed_when: running.stuck | length > 0
  run_once: true

- name: Find the tasks that failed within the last day
  celeryops.cluster.celery_task_info:
    app: shop
    failed_since: 86400
    timeout: 60
  register: lately
  run_once: true

- name: Show them
  ansible.builtin.debug:
    msg: "{{ item }}: {{ lately.tasks[item].task }}: {{ lately.tasks[item].error }}"
  loop: "{{ lately.failures }}"
  run_once: true
"""

RETURN = r"""
tasks:
  description: The tasks by their ids. What isn't known of a task is null.
  returned: success
  type: dict
  contains:
    state:
      description:
        - V(PENDING) for a task that celery_task has sent and nobody has taken yet, V(RECEIVED),
          V(STARTED), V(RETRY), V(SUCCESS), V(FAILURE), V(REVOKED) or a state of the app's own.
        - V(UNKNOWN) where neither a worker nor the result backend knows the task.
      type: str
      returned: always
    task:
      description: The name of the task.
      type: str
      returned: always
    node:
      description: The node that holds it or has run it.
      type: str
      returned: always
    held:
      description: How the node holds it, V(active), V(reserved) or V(scheduled).
      type: str
      returned: always
    queue:
      description: The routing key with which it came, in general the name of its queue.
      type: str
      returned: always
    args:
      description: The arguments by position.
      type: raw
      returned: always
    kwargs:
      description: The arguments by name.
      type: raw
      returned: always
    retries:
      description: How often it was tried again.
      type: int
      returned: always
    result:
      description: What it returned.
      type: raw
      returned: always
    error:
      description: The exception that ended it.
      type: str
      returned: always
    traceback:
      description: Where the exception was raised.
      type: str
      returned: always
    sent:
      description: When celery_task sent it, if that was done with an id.
      type: str
      returned: always
    started:
      description: When the present run began.
      type: str
      returned: always
    ended:
      description: When it ended.
      type: str
      returned: always
    runtime:
      description: Seconds for which it runs.
      type: float
      returned: always
    age:
      description: Seconds since it ended, or since it began, or since it was sent.
      type: float
      returned: always
  sample:
    rebuild-index-1.4.0:
      state: STARTED
      task: shop.tasks.rebuild_index
      node: slow1@worker1
      held: active
      queue: slow
      args: []
      kwargs: {}
      retries: null
      result: null
      error: null
      traceback: null
      sent: "2026-11-21T09:00:00.000+00:00"
      started: "2026-11-21T09:00:00.031+00:00"
      ended: null
      runtime: 71.4
      age: 71.4
stuck:
  description: The ids of the tasks that run for longer than they should, the longest first.
  returned: success
  type: list
  elements: str
  sample: []
failures:
  description: The ids of the tasks that failed lately, the latest first.
  returned: success
  type: list
  elements: str
  sample: []
scanned:
  description: How many results were read for O(failed_since).
  returned: success
  type: int
  sample: 0
complete:
  description:
    - Whether RV(failures) holds all of them. If not, O(limit), O(scan_limit) or O(timeout) ended
      the search.
  returned: success
  type: bool
  sample: true
nodes:
  description: The nodes that answered, by name, with the ids among RV(tasks) that they hold.
  returned: success
  type: dict
  sample:
    slow1@worker1:
      tasks: [rebuild-index-1.4.0]
missing:
  description: The nodes that were silent. What they run isn't known.
  returned: success
  type: list
  elements: str
  sample: []
errors:
  description: Why a node refused to answer, by name.
  returned: success
  type: dict
  sample: {}
duplicates:
  description: The names that more than one worker bears.
  returned: success
  type: list
  elements: str
  sample: []
elapsed:
  description: Seconds that the module took.
  returned: always
  type: float
  sample: 0.18
"""

import time
from dataclasses import replace
from typing import Any

from ansible_collections.celeryops.cluster.plugins.module_utils._arguments import Session, run
from ansible_collections.celeryops.cluster.plugins.module_utils._control_file import Backend
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import CeleryOpsError
from ansible_collections.celeryops.cluster.plugins.module_utils._nodes import (
    ALL,
    Selection,
    selected,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._results import (
    readable,
    unreadable,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._task_info import ask, question_of

OPTIONS: dict[str, dict[str, Any]] = {
    "ids": {"type": "list", "elements": "str"},
    "running_longer_than": {"type": "float"},
    "failed_since": {"type": "float"},
    "limit": {"type": "int", "default": 100},
    "scan_limit": {"type": "int", "default": 100000},
    "result_backend": {"type": "str", "no_log": True},
}


def info(session: Session) -> dict[str, Any]:
    params, cluster = session.params, session.cluster
    question = question_of(params)
    if params["result_backend"]:
        backend = Backend(params["result_backend"], "the option `result_backend`")
        cluster = replace(cluster, backend=backend)
    if question.failed_since is not None and (why := unreadable(cluster.backend)):
        raise CeleryOpsError(f"`failed_since` is impossible, since {why}.")
    with session.client() as client:
        results = readable(cluster.backend, client.remaining)
        selection = Selection(tuple(params["nodes"] or (ALL,)), params["pool"])
        nodes = selected(client, cluster, selection)
        only = bool(params["nodes"] or params["pool"])
        return ask(client, nodes, results, question, time.time(), only)


def main() -> None:
    run(
        OPTIONS,
        info,
        mutually_exclusive=[("app", "result_backend")],
        required_one_of=[("ids", "running_longer_than", "failed_since")],
    )


if __name__ == "__main__":
    main()
