"""The proxy: the only way in, over TLS, to Flower with its password and to the API."""

from __future__ import annotations

import json
import re
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from testinfra.host import Host
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool

ORIGIN = "https://dashboard1"
# Revoking a task that isn't there is a change without consequences.
REVOKE = "/flower/api/task/revoke/00000000-0000-0000-0000-000000000000"

GUESS = """
import http.client, json, ssl
connection = http.client.HTTPSConnection("dashboard1", context=ssl._create_unverified_context())
statuses = []
for number in range(80):
    connection.request("GET", "/flower/", headers={"Authorization": "Basic Z3Vlc3M6Z3Vlc3M="})
    response = connection.getresponse()
    response.read()
    statuses.append(response.status)
print(json.dumps(statuses))
"""


def test_plain_http_leads_to_tls(dashboard_address: str) -> None:
    plain = HTTPConnectionPool(dashboard_address, retries=False)
    answer = plain.request("GET", "/orders/1?a=b", headers={"Host": "dashboard1"}, redirect=False)
    assert (answer.status, answer.headers["Location"]) == (301, f"{ORIGIN}/orders/1?a=b")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize(
    ("version", "accepted"),
    [("TLSv1", False), ("TLSv1_1", False), ("TLSv1_2", True), ("TLSv1_3", True)],
)
def test_only_current_tls_is_spoken(
    inventory: Path, dashboard_address: str, version: str, accepted: bool
) -> None:
    context = ssl.create_default_context(cafile=inventory / ".celeryops/ca/ca.crt")
    # This client itself would speak the old ones.
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion[version]
    connection = socket.create_connection((dashboard_address, 443), timeout=30)
    try:
        with context.wrap_socket(connection, server_hostname="dashboard1"):
            assert accepted
    except ssl.SSLError as error:
        assert error.reason == "TLSV1_ALERT_PROTOCOL_VERSION"
        assert not accepted


@pytest.mark.parametrize("path", ["/", "/flower/", "/metrics"])
def test_every_answer_tells_browsers_to_be_careful(
    dashboard: HTTPSConnectionPool, path: str
) -> None:
    headers = dashboard.request("GET", path).headers
    assert headers["Strict-Transport-Security"].startswith("max-age=")
    assert "nosniff" in headers["X-Content-Type-Options"]
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Server"] == "nginx"


def test_the_api_is_there(dashboard: HTTPSConnectionPool) -> None:
    answer = dashboard.request("GET", "/health")
    assert (answer.status, answer.json()["status"]) == (200, "ok")


def test_flower_without_a_slash_leads_to_flower(dashboard: HTTPSConnectionPool) -> None:
    answer = dashboard.request("GET", "/flower", redirect=False)
    assert (answer.status, answer.headers["Location"]) == (301, f"{ORIGIN}/flower/")


def test_flower_asks_for_a_password(dashboard: HTTPSConnectionPool, login: dict[str, str]) -> None:
    assert dashboard.request("GET", "/flower/").status == 401
    assert dashboard.request("GET", "/flower/", headers=login).status == 200


def test_flower_stays_below_its_path(dashboard: HTTPSConnectionPool, login: dict[str, str]) -> None:
    page = dashboard.request("GET", "/flower/", headers=login).data.decode()
    links = [urlsplit(link) for link in re.findall(r'(?:href|src|action)="([^"]+)"', page)]
    paths = [link.path for link in links if not link.netloc and link.path]
    assert paths
    assert [path for path in paths if not path.startswith("/flower/")] == []


def test_flower_shows_no_secret(
    dashboard: HTTPSConnectionPool, login: dict[str, str], leaks: Callable[[str], list[str]]
) -> None:
    for path in ("/flower/api/workers?refresh=1", "/flower/broker", "/flower/worker/work1@worker1"):
        answer = dashboard.request("GET", path, headers=login)
        assert answer.status == 200, path
        assert leaks(answer.data.decode()) == [], path


@pytest.mark.parametrize(
    "path",
    [
        "/metrics",
        "/healthcheck",
        "/flower/metrics",
        "/flower/healthcheck",
        "//metrics",
        "/flower//metrics",
        "/metrics/",
        "/metrics?x",
        "/flower/metrics%0a",
        "/flower/%6detrics",
        "/flower/%2e/metrics",
        "/flower/tasks/%2e%2e/metrics",
        "/flower/tasks/..%2fhealthcheck",
    ],
)
def test_what_asks_for_no_password_is_closed(
    dashboard: HTTPSConnectionPool, login: dict[str, str], path: str
) -> None:
    assert dashboard.request("GET", path, headers=login).status == 403


@pytest.mark.parametrize(
    ("origin", "status"), [(ORIGIN, 200), ("https://elsewhere.example", 403), ("null", 403)]
)
def test_only_flowers_own_pages_may_change_something(
    dashboard: HTTPSConnectionPool, login: dict[str, str], origin: str, status: int
) -> None:
    headers = {**login, "Host": "dashboard1", "Origin": origin}
    assert dashboard.request("POST", REVOKE, headers=headers).status == status


def test_guessing_passwords_is_slowed_down(
    cluster: dict[str, Host], dashboard: HTTPSConnectionPool, login: dict[str, str]
) -> None:
    statuses = json.loads(cluster["worker2"].check_output("python3 -c %s", GUESS))
    assert set(statuses) == {401, 429}
    # Who has the password and another address isn't.
    assert dashboard.request("GET", "/flower/", headers=login).status == 200


def test_nothing_else_can_be_reached_from_outside(cluster: dict[str, Host]) -> None:
    lines = cluster["dashboard1"].check_output("ss --no-header --listening --tcp --numeric")
    sockets = [line.split()[3].rsplit(":", 1) for line in lines.splitlines()]
    assert {port for address, port in sockets if not address.startswith("127.")} == {
        "22",
        "80",
        "443",
        "8000",
    }
    assert ["127.0.0.1", "5555"] in sockets
