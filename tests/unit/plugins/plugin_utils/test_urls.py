from __future__ import annotations

from urllib.parse import unquote, urlsplit

import pytest

from ansible_collections.celeryops.cluster.plugins.plugin_utils._urls import build_url


@pytest.mark.parametrize("password", ["plain", "p@ss", "a/b:c%d#e", "?&=+ ü", "%40"])
def test_any_password_comes_back(password: str) -> None:
    url = urlsplit(build_url(host="broker1", port=6379, password=password, path=0))
    assert unquote(url.password or "") == password
    assert (url.hostname, url.port, url.path) == ("broker1", 6379, "/0")


def test_no_credentials_and_an_ipv6_address() -> None:
    assert build_url(host="::1", port=5672, scheme="amqp", path="/") == "amqp://[::1]:5672/%2F"


def test_user() -> None:
    assert build_url(host="b", port=1, username="u:", password="") == "redis://u%3A:@b:1/"
