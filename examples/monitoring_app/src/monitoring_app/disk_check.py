"""One disk check with `df`, here or on another host by ssh."""

from __future__ import annotations

import math
import re
import subprocess
from typing import TypedDict

from monitoring_app.settings import Settings
from monitoring_app.targets import DiskTarget, parse_disk_target

# How long df may take once it runs: a dead network file system would hold it for ever.
DF_TIMEOUT = 20.0  # seconds

_DF_LINE = re.compile(
    r"(?P<filesystem>\S.*?)\s+(?P<total>\d+)\s+(?P<used>\d+)\s+(?P<available>-?\d+)"
    r"\s+(?P<percent>\d+)%\s+(?P<mounted_on>/.*)"
)


class DiskCheckError(Exception):
    """The disk could not be measured; the message says why in one sentence."""


class DiskUsage(TypedDict):
    """What `df` says of the file system that holds the target's path."""

    target: str
    filesystem: str
    mounted_on: str
    total_bytes: int
    used_bytes: int
    available_bytes: int
    used_percent: int  # of what users may fill, rounded up: 100 means full


def disk_usage(target: str, settings: Settings) -> DiskUsage:
    """Measure "/path" or "host:/path". ValueError for another form, DiskCheckError if it fails."""
    parsed = parse_disk_target(target)
    return parse_df(target, _run(target, _command(parsed, settings), settings.ssh_connect_timeout))


def parse_df(target: str, output: str) -> DiskUsage:
    """Read the last line of `df -P -k`. DiskCheckError if it is no line of df's."""
    lines = output.strip().splitlines()
    match = _DF_LINE.fullmatch(lines[-1]) if lines else None
    if match is None:
        raise DiskCheckError(f"{target}: df printed no line with sizes")
    return DiskUsage(
        target=target,
        filesystem=match["filesystem"],
        mounted_on=match["mounted_on"],
        total_bytes=int(match["total"]) * 1024,
        used_bytes=int(match["used"]) * 1024,
        available_bytes=int(match["available"]) * 1024,
        used_percent=int(match["percent"]),
    )


def _command(target: DiskTarget, settings: Settings) -> list[str]:
    df = ["df", "-P", "-k", "--", target.path]
    if target.host is None:
        return df
    options = {
        "BatchMode": "yes",
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": settings.ssh_known_hosts,
        "IdentitiesOnly": "yes",
        "IdentityFile": settings.ssh_key,
        "User": settings.ssh_user,
        "ConnectTimeout": math.ceil(settings.ssh_connect_timeout),
        "ClearAllForwardings": "yes",
    }
    arguments = [f"-o{name}={value}" for name, value in options.items()]
    return ["ssh", "-T", *arguments, "--", target.host, *df]


def _run(target: str, command: list[str], connect_timeout: float) -> str:
    program = command[0]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=connect_timeout + DF_TIMEOUT,
            check=True,
        )
    except FileNotFoundError:
        raise DiskCheckError(f"{target}: {program} is not installed on this worker") from None
    except subprocess.TimeoutExpired as error:
        raise DiskCheckError(f"{target}: {program} took over {error.timeout:g} s") from None
    except subprocess.CalledProcessError as error:
        # ssh explains itself at length; the last line is the reason.
        reason = (error.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise DiskCheckError(f"{target}: {program} failed: {reason}") from None
    return done.stdout
