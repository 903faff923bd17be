"""What may be checked: the forms of URLs and disk targets, and the allow-list of hosts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

MAX_URL_LENGTH = 2048

_HOST_NAME = re.compile(r"[a-z0-9_][a-z0-9_.-]*")
# Neither a host nor a path can hold a blank, a quote or a leading dash, so neither ssh nor the
# remote shell can take one for an option or a second command.
_DISK_TARGET = re.compile(r"(?:(?P<host>[A-Za-z0-9][A-Za-z0-9.-]*):)?(?P<path>/[A-Za-z0-9._/@+-]*)")


def parse_url(url: str) -> SplitResult:
    """Take an http or https URL apart. ValueError says in one sentence what is wrong with it."""
    if len(url) > MAX_URL_LENGTH:
        raise ValueError(f"a URL may have at most {MAX_URL_LENGTH} characters, this has {len(url)}")
    if not (url.isascii() and url.isprintable()) or " " in url:
        raise ValueError(f"{url!r} has characters that a URL must percent-encode")
    try:
        parts = urlsplit(url)
        # Reading the port checks it: without this line a wrong one would pass.
        _ = parts.port
    except ValueError as error:
        raise ValueError(f"{url!r} is no URL: {error}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{url!r} is no URL of the form http://host/path or https://host/path")
    if "@" in parts.netloc:
        raise ValueError("a URL with a user or password is refused: it would show in the results")
    return parts


@dataclass(frozen=True)
class DiskTarget:
    """A path on this machine (`host` is None) or on one reached by ssh."""

    host: str | None
    path: str


def parse_disk_target(target: str) -> DiskTarget:
    """Read "/path" or "host:/path". ValueError says in one sentence what is wrong with it."""
    match = _DISK_TARGET.fullmatch(target)
    if match is None:
        raise ValueError(f"{target!r} is neither an absolute path nor host:/absolute/path")
    return DiskTarget(match["host"], match["path"])


@dataclass(frozen=True)
class AllowList:
    """The hosts that HTTP checks may reach; empty means none.

    A network allows the addresses in it, under whatever name. A host's name, or `*.domain`,
    allows that host at any address but loopback, link-local (where clouds keep their metadata
    service) and the like: those must lie in an allowed network as well.
    """

    names: frozenset[str] = frozenset()
    domains: frozenset[str] = frozenset()
    networks: tuple[IPv4Network | IPv6Network, ...] = ()

    @classmethod
    def parse(cls, entries: tuple[str, ...]) -> AllowList:
        """Sort entries such as "api", "*.example.org", "10.1.0.0/16". ValueError if one is none."""
        names: set[str] = set()
        domains: set[str] = set()
        networks: list[IPv4Network | IPv6Network] = []
        for entry in entries:
            name = entry.lower().removeprefix("*.")
            try:
                networks.append(ip_network(entry))
            except ValueError:
                if not _HOST_NAME.fullmatch(name):
                    raise ValueError(
                        f"{entry!r} is no host name, no *.domain and no network such as 10.1.0.0/16"
                    ) from None
                (domains if entry.startswith("*.") else names).add(name)
        return cls(frozenset(names), frozenset(domains), tuple(networks))

    def permits(self, host: str, address: str) -> bool:
        """Whether `host`, found at the IP address `address`, may be connected to there."""
        ip = _plain(ip_address(address))
        if any(ip in network for network in self.networks):
            return True
        return self._names(host) and not _is_special(ip)

    def _names(self, host: str) -> bool:
        name = host.lower().rstrip(".")
        return name in self.names or any(name.endswith(f".{domain}") for domain in self.domains)


NO_HOSTS = AllowList()


def _plain(ip: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address inside an IPv4-mapped IPv6 one: ::ffff:127.0.0.1 is 127.0.0.1."""
    return getattr(ip, "ipv4_mapped", None) or ip


def _is_special(ip: IPv4Address | IPv6Address) -> bool:
    return (
        ip.is_loopback or ip.is_link_local or ip.is_multicast or ip.is_unspecified or ip.is_reserved
    )
