# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
name: celery
short_description: The live nodes of a Celery cluster as hosts
version_added: 0.2.0
author: The celeryops.cluster authors (@celeryops)
description:
  - Asks the workers of a cluster by Celery's remote control, and makes each of them a host.
  - The name of the source's file must end in C(celery.yml) or C(celery.yaml).
  - "Each host has the variables C(celery_status): V(online) if it answers, V(offline) if it should
    and doesn't, V(unknown) if it answers and isn't expected; C(celery_healthy) and
    C(celery_reasons), as M(celeryops.cluster.celery_health) returns them; C(celery_node),
    C(celery_host), C(celery_pool), C(celery_kind), C(celery_queues), C(celery_release),
    C(celery_processes), C(celery_active) and C(celery_reserved). What isn't known is null."
  - Hosts are put into the groups C(celery_online), C(celery_offline), C(celery_unknown),
    C(celery_healthy), C(celery_unhealthy), C(celery_pool_<name>), C(celery_kind_<kind>),
    C(celery_queue_<name>) and C(celery_release_<release>).
  - With a cache no broker is asked as long as it is valid. The cache holds no secret, and no
    address of the broker.
extends_documentation_fragment:
  - constructed
  - inventory_cache
requirements:
  - C(celery) with the client library of the broker (C(celery[redis])) in the environment of Ansible
    on the controller
notes:
  - A broker that can't be reached makes the source fail in one sentence. Ansible goes on without
    its hosts then, unless C(ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED) is set.
options:
  plugin:
    description: V(celeryops.cluster.celery).
    type: str
    required: true
    choices: [celeryops.cluster.celery]
  broker_url:
    description:
      - The broker's URL. It may be a template, such as a look-up of a variable of the environment,
        of a file or of a vault.
      - Special characters of its user name and password must be percent-encoded, for example by
        the filter P(celeryops.cluster.url_quote#filter).
      - Either this or O(app) must be given.
    type: str
    env:
      - name: CELERYOPS_BROKER_URL
  broker_options:
    description: Celery's C(broker_transport_options), together with O(broker_url).
    type: dict
    default: {}
  control_exchange:
    description: Celery's C(control_exchange), together with O(broker_url).
    type: str
    default: celery
  app:
    description:
      - The name of an app whose file C(<configuration>/<app>/control.json) is on the controller.
      - The broker, the expected nodes, their queues and their releases are known by it.
    type: str
  configuration:
    description: The directory of O(app), relative to the source's file.
    type: str
    default: /etc/celeryops
  nodes:
    description:
      - The names of the nodes that should answer, together with O(broker_url).
      - By default all that answer are taken for expected, and none can be V(offline).
    type: list
    elements: str
    default: []
  timeout:
    description: Seconds for asking the workers, with connecting to the broker.
    type: float
    default: 10.0
  hosts:
    description:
      - What becomes a host.
      - With V(nodes) each node, under its own name, such as V(cpu1@worker1).
      - With V(machines) each machine, under the part of its nodes' names behind the C(@), so that
        hosts of another source get the variables and groups. C(celery_nodes) holds the variables of
        its nodes. C(celery_pool), C(celery_kind) and C(celery_release) are lists then.
        C(celery_status) is the worst of its nodes', and C(celery_healthy) is whether all are.
    type: str
    choices: [nodes, machines]
    default: nodes
  groupings:
    description: Which of the groups are made.
    type: list
    elements: str
    choices: [status, health, pool, kind, queue, release]
    default: [status, health, pool, kind, queue, release]
"""

EXAMPLES = r"""
---
# live.celery.yml: the nodes of a cluster whose password is in the environment
plugin: celeryops.cluster.celery
broker_url: >-
  {{ lookup('env', 'BROKER_PASSWORD') | celeryops.cluster.broker_url(host='broker1', path=0) }}
nodes: [cpu1@worker1, cpu1@worker2, mail1@worker2]

---
# machines.celery.yml: the machines of the app shop, added to those of another source
plugin: celeryops.cluster.celery
app: shop
hosts: machines
cache: true
cache_plugin: ansible.builtin.jsonfile
cache_connection: ~/.cache/ansible
cache_timeout: 60
groups:
  # celery_queues is a list
  mailers: "'mail' in celery_queues"
keyed_groups:
  - key: celery_release
    prefix: runs
compose:
  # a variable of one's own
  worker_is_idle: celery_nodes.values() | map(attribute='celery_active') | select | length == 0
"""

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleParserError
from ansible.plugins.inventory import (
    BaseInventoryPlugin,
    Cacheable,
    Constructable,
    to_safe_group_name,
)
from ansible.utils.unsafe_proxy import wrap_var

from ansible_collections.celeryops.cluster.plugins.module_utils._client import Client
from ansible_collections.celeryops.cluster.plugins.module_utils._control_file import (
    Broker,
    Cluster,
    read_cluster,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import CeleryOpsError
from ansible_collections.celeryops.cluster.plugins.plugin_utils._live_nodes import (
    by_machine,
    groups_of,
    live_nodes,
)


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    """The live nodes of a cluster."""

    NAME = "celeryops.cluster.celery"

    def verify_file(self, path: str) -> bool:
        return bool(super().verify_file(path)) and path.endswith(("celery.yml", "celery.yaml"))

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        super().parse(inventory, loader, path, cache)
        self._read_config_data(path)
        self.load_cache_plugin()
        key = self.get_cache_key(path)
        wanted = self.get_option("cache")
        nodes = self._cache.get(key) if wanted and cache else None
        if nodes is None:
            nodes = self._ask(Path(path).parent)
            if wanted:
                self._cache[key] = nodes
        machines = self.get_option("hosts") == "machines"
        self._populate(by_machine(nodes) if machines else nodes)

    def _ask(self, directory: Path) -> dict[str, dict[str, Any]]:
        try:
            cluster = self._cluster(directory)
            with Client(cluster.broker, self.get_option("timeout")) as client:
                return live_nodes(client, cluster, self.get_option("nodes"))
        except CeleryOpsError as error:
            raise AnsibleParserError(str(error)) from error

    def _cluster(self, directory: Path) -> Cluster:
        app = self.get_option("app")
        url = self.templar.template(self.get_option("broker_url"))
        if bool(app) == bool(url):
            raise CeleryOpsError("Either `broker_url` or `app` must be given, and not both.")
        if app:
            return read_cluster(app, directory / self.get_option("configuration"))
        options = self.get_option("broker_options")
        exchange = self.get_option("control_exchange")
        return Cluster(Broker(url, "the option `broker_url`", options, exchange=exchange))

    def _populate(self, hosts: dict[str, dict[str, Any]]) -> None:
        strict = self.get_option("strict")
        for name, told in hosts.items():
            # Whoever may use the broker could send a template that runs on the controller.
            values = wrap_var(told)
            self.inventory.add_host(name)
            for variable, value in values.items():
                self.inventory.set_variable(name, variable, value)
            for group in groups_of(values, self.get_option("groupings")):
                safe = self.inventory.add_group(to_safe_group_name(group))
                self.inventory.add_child(safe, name)
            self._set_composite_vars(self.get_option("compose"), values, name, strict=strict)
            self._add_host_to_composed_groups(
                self.get_option("groups"), values, name, strict=strict
            )
            self._add_host_to_keyed_groups(
                self.get_option("keyed_groups"), values, name, strict=strict
            )
