from __future__ import annotations

import re
import socket
from collections.abc import Callable
from typing import Any

import pytest

from monitoring_app.http_check import check_url
from monitoring_app.targets import AllowList
from monitoring_app.tasks.checks import check_all_endpoints, check_http_endpoint

LOOPBACK = AllowList.parse(("127.0.0.0/8",))
TIMEOUT = 5.0


@pytest.mark.parametrize("status_code", [200, 204, 304])
def test_up(server: str, status_code: int) -> None:
    check = check_url(f"{server}/status/{status_code}", LOOPBACK, TIMEOUT)
    assert check.pop("response_time") >= 0
    assert check == {
        "url": f"{server}/status/{status_code}",
        "status": "UP",
        "status_code": status_code,
        "error": None,
    }


@pytest.mark.parametrize("status_code", [404, 503])
def test_down_by_status(server: str, status_code: int) -> None:
    check = check_url(f"{server}/status/{status_code}", LOOPBACK, TIMEOUT)
    assert (check["status"], check["status_code"]) == ("DOWN", status_code)
    assert check["error"] == f"the answer's status is {status_code}"


@pytest.mark.parametrize("path", ["/silent", "/endless"])
def test_down_without_an_answer(server: str, path: str) -> None:
    check = check_url(server + path, LOOPBACK, timeout=0.05)
    assert check == {
        "url": server + path,
        "status": "DOWN",
        "status_code": None,
        "response_time": None,
        "error": "no answer within 0.05 s",
    }


def test_down_with_nobody_there() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        check = check_url(f"http://127.0.0.1:{unused.getsockname()[1]}/", LOOPBACK, TIMEOUT)
    assert "refused" in check["error"]


def test_https_is_not_spoken_to_a_plain_server(server: str) -> None:
    check = check_url(server.replace("http:", "https:"), LOOPBACK, TIMEOUT)
    assert check["status"] == "DOWN"
    assert "SSL" in check["error"]


def test_a_url_of_no_allowed_host_is_down(server: str) -> None:
    check = check_url(f"{server}/status/200", AllowList(), TIMEOUT)
    assert (check["status"], check["status_code"]) == ("DOWN", None)
    assert check["error"] == "127.0.0.1 (127.0.0.1) is not allowed by MONITORING_ALLOWED_HOSTS"


@pytest.mark.parametrize("disguise", ["2130706433", "0x7f000001", "127.1", "[::ffff:127.0.0.1]"])
def test_a_disguised_address_is_seen_through(disguise: str) -> None:
    check = check_url(f"http://{disguise}/", AllowList.parse(("*.test",)), TIMEOUT)
    assert "not allowed" in check["error"]


def test_a_redirect_within_the_allow_list_is_followed(server: str) -> None:
    check = check_url(f"{server}/redirect?to=/status/200", LOOPBACK, TIMEOUT)
    assert (check["status"], check["status_code"]) == ("UP", 200)


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("http://169.254.169.254/latest", "169.254.169.254 .* is not allowed"),
        ("file:///etc/passwd", "no URL of the form"),
        ("/loop", "more than 5 redirects"),
    ],
)
def test_other_redirects_are_not(server: str, location: str, reason: str) -> None:
    check = check_url(f"{server}/redirect?to={location}", LOOPBACK, TIMEOUT)
    assert check["status"] == "DOWN"
    assert re.search(reason, check["error"])


class Resolver:
    """A name server that answers each question with the next of its addresses."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = list(addresses)

    def __call__(self, _host: str, port: int, **_: Any) -> list[Any]:
        entry = (self.addresses.pop(0), port)
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", entry)]


def test_the_address_that_was_checked_is_connected_to(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A second question would be an IndexError.
    monkeypatch.setattr(socket, "getaddrinfo", Resolver("127.0.0.1"))
    url = server.replace("127.0.0.1", "rebind.test")
    assert check_url(f"{url}/status/200", LOOPBACK, TIMEOUT)["status"] == "UP"


def test_an_allowed_name_with_a_forbidden_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", Resolver("169.254.169.254"))
    check = check_url("http://api.test/", AllowList.parse(("api.test",)), TIMEOUT)
    assert check["error"] == "api.test (169.254.169.254) is not allowed by MONITORING_ALLOWED_HOSTS"


def test_the_task_follows_the_settings(server: str, configure: Callable[..., None]) -> None:
    configure(allowed_hosts="")
    assert check_http_endpoint(f"{server}/status/200")["status"] == "DOWN"
    configure(allowed_hosts="127.0.0.1")
    assert check_http_endpoint(f"{server}/status/200")["status"] == "UP"


def test_one_check_is_sent_for_each_url(server: str, configure: Callable[..., None]) -> None:
    configure(check_urls=f"{server}/status/200 {server}/status/500", allowed_hosts="127.0.0.1")
    checks = [
        check_http_endpoint.AsyncResult(task_id).get(timeout=TIMEOUT)
        for task_id in check_all_endpoints()
    ]
    assert [check["status"] for check in checks] == ["UP", "DOWN"]
