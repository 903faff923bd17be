from __future__ import annotations

from urllib.parse import unquote, urlsplit

import pytest

from ansible_collections.celeryops.cluster.plugins.plugin_utils._urls import (
    build_url,
    quote_part,
)


@pytest.mark.parametrize("password", ["plain", "p@ss", "a/b:c%d#e", "?&=+ ü", "%40"])
def test_any_password_comes_back(password: str) -> None:
    url = urlsplit(build_url(host="broker1", port=6379, password=password, path=0))
    assert unquote(url.password or "") == password
    assert (url.hostname, url.port, url.path) == ("broker1", 6379, "/0")


def test_no_credentials_and_an_ipv6_address() -> None:
    assert build_url(host="::1", port=5672, scheme="amqp", path="/") == "amqp://[::1]:5672/%2F"


def test_user() -> None:
    assert build_url(host="b", port=1, username="u:", password="") == "redis://u%3A:@b:1/"


@pytest.mark.parametrize(
    ("scheme", "place"),
    [
        ("redis", "b:6379"),
        ("rediss", "b:6379"),
        ("sentinel", "b:26379"),
        ("amqp", "b:5672"),
        ("amqps", "b:5671"),
        ("db+postgresql+psycopg", "b:5432"),
    ],
)
def test_usual_ports(scheme: str, place: str) -> None:
    assert build_url("b", scheme=scheme) == f"{scheme}://{place}/"


@pytest.mark.parametrize(
    ("host", "place"),
    [
        ("b:1", "b:1"),
        ("[::1]:1", "[::1]:1"),
        ("[::1]", "[::1]:9"),
        ("::1", "[::1]:9"),
        ("fe80::1:2", "[fe80::1:2]:9"),
    ],
)
def test_ports_of_their_own(host: str, place: str) -> None:
    assert build_url(host, port=9) == f"redis://{place}/"


def test_several_hosts() -> None:
    assert build_url(["s1", "s2:5"], scheme="sentinel", password="p/", path=0) == (
        "sentinel://:p%2F@s1:26379/0;sentinel://:p%2F@s2:5/0"
    )
    query = {"ssl_cert_reqs": "required"}
    assert build_url(["a"], scheme="rediss", query=query) == (
        "rediss://a:6379/?ssl_cert_reqs=required"
    )
    assert build_url(["a", "b"], scheme="amqps", username="u", path="/", query={"x": "&"}) == (
        "amqps://u:@a:5671/%2F?x=%26;amqps://u:@b:5671/%2F?x=%26"
    )


def test_several_hosts_of_postgresql() -> None:
    query = {"target_session_attrs": "read-write"}
    scheme = "db+postgresql+psycopg"
    assert build_url(
        ["a", "::1"], scheme=scheme, username="u", password="@", path="r", query=query
    ) == (f"{scheme}://u:%40@/r?target_session_attrs=read-write&host=a:5432&host=[::1]:5432")
    assert build_url("a", scheme=scheme, path="r", query=query) == (
        f"{scheme}://a:5432/r?target_session_attrs=read-write"
    )


@pytest.mark.parametrize("host", ["", [], ["a", ""]])
def test_no_host(host: str | list[str]) -> None:
    with pytest.raises(ValueError, match="`host` must be"):
        build_url(host)


def test_no_port() -> None:
    with pytest.raises(ValueError, match=r"the scheme sqs has no usual port: give `port`\."):
        build_url("b", scheme="sqs")


def test_quoting() -> None:
    assert quote_part("p@ss:w/rd ü~") == "p%40ss%3Aw%2Frd%20%C3%BC~"
