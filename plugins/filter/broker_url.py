# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
name: broker_url
short_description: Builds the URL of a broker or backend from its parts
version_added: 0.1.0
author: The celeryops.cluster authors (@celeryops)
description:
  - Quotes each part, so that a password may hold any character.
  - Of several hosts, Celery wants a list of URLs, joined by semicolons, for Redis Sentinel and for
    RabbitMQ, and one URL with all of them for PostgreSQL. This filter returns what the scheme
    needs.
notes:
  - With a list of RabbitMQ's nodes, each start of a worker takes 18 seconds longer while one of
    them is down. One name that resolves to all of them has no such cost.
  - Plain Redis has no failover. Of a list of its URLs, Celery uses the first that answers.
options:
  _input:
    description: The password; empty for none.
    type: string
    required: true
  host:
    description:
      - Name or address of the host, or a list of them.
      - Each may have a port of its own, as in V(broker1:5672). An IPv6 address stands in brackets
        then.
    type: raw
    required: true
  port:
    description:
      - The port of the hosts that have none of their own.
      - By default that of the scheme, for V(amqp), V(amqps), V(redis), V(rediss), V(sentinel) and
        V(db+postgresql).
    type: integer
  scheme:
    description:
      - The URL's scheme.
      - A result backend in PostgreSQL has V(db+postgresql), or with the driver
        V(db+postgresql+psycopg).
    type: string
    default: redis
  username:
    description: The user; empty for none.
    type: string
    default: ""
  path:
    description:
      - Redis database number, RabbitMQ virtual host or PostgreSQL database.
      - RabbitMQ's default virtual host is V(/), while an empty path means one without a name.
    type: string
    default: ""
  query:
    description:
      - What follows the question mark, such as C(ssl_cert_reqs) for V(rediss).
    type: dictionary
"""

EXAMPLES = r"""
- name: Show where the broker is
  ansible.builtin.debug:
    msg: "{{ 'p@ss:w/rd' | celeryops.cluster.broker_url(host='broker1', path=0) }}"

- name: Use RabbitMQ with TLS and a virtual host
  ansible.builtin.set_fact:
    celery_broker_url: >-
      {{ rabbitmq_password | celeryops.cluster.broker_url(
         host='rabbitmq.example.com', scheme='amqps', username='shop', path='shop') }}
  no_log: true

- name: Use Redis behind three sentinels
  ansible.builtin.set_fact:
    celery_broker_url: >-
      {{ redis_password | celeryops.cluster.broker_url(
         host=['redis1', 'redis2', 'redis3'], scheme='sentinel', path=0) }}
  no_log: true

- name: Keep results in PostgreSQL with a standby
  ansible.builtin.set_fact:
    celery_backend_url: >-
      {{ postgresql_password | celeryops.cluster.broker_url(
         host=['db1', 'db2'], scheme='db+postgresql+psycopg', username='shop', path='results',
         query={'target_session_attrs': 'read-write'}) }}
  no_log: true
"""

RETURN = r"""
_value:
  description: The URL, or several joined by semicolons.
  type: string
  sample: "redis://:p%40ss%3Aw%2Frd@broker1:6379/0"
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.celeryops.cluster.plugins.plugin_utils._urls import build_url


def broker_url(
    password: str,
    host: str | Sequence[str],
    port: int | None = None,
    scheme: str = "redis",
    username: str = "",
    path: str | int = "",
    query: Mapping[str, Any] | None = None,
) -> str:
    try:
        return build_url(host, port, scheme, username, password, path, query)
    except ValueError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """The filter C(celeryops.cluster.broker_url)."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"broker_url": broker_url}
