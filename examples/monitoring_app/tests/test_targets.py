from __future__ import annotations

import pytest

from monitoring_app.targets import AllowList, DiskTarget, parse_disk_target, parse_url


@pytest.mark.parametrize(
    "url",
    [
        "http://api/health",
        "https://api.example.org:8443/a?b=c#d",
        "http://10.0.0.1",
        "http://[::1]:8000/health",
    ],
)
def test_parse_url_accepts(url: str) -> None:
    assert parse_url(url).geturl() == url


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "no URL of the form"),
        ("api/health", "no URL of the form"),
        ("ftp://api/", "no URL of the form"),
        ("file:///etc/passwd", "no URL of the form"),
        ("http://", "no URL of the form"),
        ("http://api:99999/", "no URL: Port"),
        ("http://[::1/", "no URL: Invalid IPv6"),
        ("http://api/a b", "percent-encode"),
        ("http://api/\r\nHost: other", "percent-encode"),
        ("http://bücher.example/", "percent-encode"),
        ("http://user:secret@api/", "user or password"),
        ("http://api/" + "a" * 2048, "at most 2048 characters"),
    ],
)
def test_parse_url_refuses(url: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as refusal:
        parse_url(url)
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize(
    ("target", "parsed"),
    [
        ("/", DiskTarget(None, "/")),
        ("/var/lib", DiskTarget(None, "/var/lib")),
        ("db1.example.org:/var", DiskTarget("db1.example.org", "/var")),
    ],
)
def test_parse_disk_target_accepts(target: str, parsed: DiskTarget) -> None:
    assert parse_disk_target(target) == parsed


@pytest.mark.parametrize(
    "target",
    [
        "",
        "var",
        "db1:",
        "db1:var",
        "-oProxyCommand=reboot:/",
        "monitor@db1:/",
        "db1:/; reboot",
        "db1:/$(reboot)",
        "/var\n",
    ],
)
def test_parse_disk_target_refuses(target: str) -> None:
    with pytest.raises(ValueError, match="neither an absolute path nor host:/absolute/path"):
        parse_disk_target(target)


@pytest.mark.parametrize(
    ("entries", "host", "address", "permitted"),
    [
        ((), "api", "192.0.2.1", False),
        (("api",), "api", "10.0.0.1", True),
        (("API",), "api.", "10.0.0.1", True),
        (("api",), "api.evil.example", "10.0.0.1", False),
        (("*.example.org",), "a.b.example.org", "192.0.2.1", True),
        (("*.example.org",), "example.org", "192.0.2.1", False),
        (("*.example.org",), "evilexample.org", "192.0.2.1", False),
        # A network allows its addresses under any name, written in any way.
        (("10.1.0.0/16",), "10.1.2.3", "10.1.2.3", True),
        (("10.1.0.0/16",), "anything", "10.1.2.3", True),
        (("10.1.0.0/16",), "anything", "10.2.0.1", False),
        (("10.1.0.0/16",), "anything", "::ffff:10.1.2.3", True),
        (("192.0.2.7",), "192.0.2.7", "192.0.2.7", True),
        # A name does not lead to the machine itself, nor to a cloud's metadata.
        (("api",), "api", "127.0.0.1", False),
        (("api",), "api", "::1", False),
        (("api",), "api", "::ffff:127.0.0.1", False),
        (("api",), "api", "169.254.169.254", False),
        (("api",), "api", "fe80::1%eth0", False),
        (("api",), "api", "0.0.0.0", False),
        (("api", "127.0.0.0/8"), "api", "127.0.1.1", True),
    ],
)
def test_allow_list(entries: tuple[str, ...], host: str, address: str, permitted: bool) -> None:
    assert AllowList.parse(entries).permits(host, address) is permitted


@pytest.mark.parametrize("entry", ["*", "a*.example.org", "*.*.org", "10.0.0.1/8", "http://api"])
def test_allow_list_refuses(entry: str) -> None:
    with pytest.raises(ValueError, match="is no host name"):
        AllowList.parse((entry,))
