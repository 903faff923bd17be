"""The application's settings: MONITORING_* variables of the environment."""

from __future__ import annotations

import os
import re
import zoneinfo
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import cache
from typing import Any

from monitoring_app.targets import NO_HOSTS, AllowList, parse_disk_target, parse_url


class SettingsError(ValueError):
    """A variable of the environment has a value that cannot be used."""


def _words(text: str) -> tuple[str, ...]:
    """Words separated by commas or blanks (a comma inside a URL is written %2C)."""
    return tuple(re.split(r"[,\s]+", text.strip(", \t\n")))


def _urls(text: str) -> tuple[str, ...]:
    return tuple(parse_url(url).geturl() for url in _words(text))


def _disk_targets(text: str) -> tuple[str, ...]:
    for target in _words(text):
        parse_disk_target(target)
    return _words(text)


def _seconds(text: str) -> float:
    seconds = float(text) if re.fullmatch(r"\d+(\.\d+)?", text) else 0
    if not 0 < seconds <= 3600:
        raise ValueError(f"{text!r} is no number of seconds above 0 and up to 3600")
    return seconds


def _port(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 0 < int(text) < 65536:
        raise ValueError(f"{text!r} is no port number from 1 to 65535")
    return int(text)


def _timezone(text: str) -> str:
    if text not in zoneinfo.available_timezones():
        raise ValueError(f"{text!r} is no time zone such as UTC or Europe/Paris")
    return text


# The fields that are not taken as they stand.
_PARSERS: dict[str, Callable[[str], object]] = {
    "timezone": _timezone,
    "check_urls": _urls,
    "disk_targets": _disk_targets,
    "allowed_hosts": lambda text: AllowList.parse(_words(text)),
    "http_timeout": _seconds,
    "ssh_connect_timeout": _seconds,
    "smtp_port": _port,
    "retry_base": _seconds,
}


@dataclass(frozen=True)
class Settings:
    """Each field is read from MONITORING_<ITS NAME>; unset or empty means the default."""

    timezone: str = "UTC"

    # What beat has checked, and which hosts an HTTP check may reach.
    check_urls: tuple[str, ...] = ()
    disk_targets: tuple[str, ...] = ()
    allowed_hosts: AllowList = NO_HOSTS
    http_timeout: float = 10.0  # seconds

    # How disks of other hosts are reached; ssh itself resolves the tilde.
    ssh_user: str = "monitor"
    ssh_key: str = "~/.ssh/monitor_key"
    ssh_known_hosts: str = "~/.ssh/known_hosts"
    ssh_connect_timeout: float = 10.0  # seconds

    # Without a host, mail is recorded in the outbox instead of sent.
    smtp_host: str | None = None
    smtp_port: int = 25
    smtp_from: str = "monitoring@localhost"

    # Any URL that Celery's Redis backends understand; None: the result backend's own.
    ledger_url: str | None = None

    # Seconds before the second attempt at a risky operation; each further pause is twice as long.
    retry_base: float = 1.0


def from_environment(environment: Mapping[str, str]) -> Settings:
    """Read the settings. SettingsError names the variable whose value cannot be used."""
    values: dict[str, Any] = {}
    for setting in fields(Settings):
        variable = f"MONITORING_{setting.name.upper()}"
        text = environment.get(variable, "").strip()
        if text:
            try:
                values[setting.name] = _PARSERS.get(setting.name, str)(text)
            except ValueError as error:
                raise SettingsError(f"{variable}: {error}") from None
    return Settings(**values)


@cache
def get_settings() -> Settings:
    """The settings of this process, read once."""
    return from_environment(os.environ)
