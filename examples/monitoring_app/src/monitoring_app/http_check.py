"""One HTTP check that connects only to hosts of the allow-list."""

from __future__ import annotations

import io
import socket
import ssl
import time
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import TYPE_CHECKING, Literal, TypedDict
from urllib.parse import SplitResult, urljoin

from monitoring_app import __version__
from monitoring_app.targets import AllowList, parse_url

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MAX_REDIRECTS = 5

_REDIRECTS = (301, 302, 303, 307, 308)
_PORTS = {"http": 80, "https": 443}
_HEADERS = {"User-Agent": f"monitoring_app/{__version__}", "Connection": "close"}


class HttpCheck(TypedDict):
    """A check's outcome: UP means that the last answer's status is below 400."""

    url: str
    status: Literal["UP", "DOWN"]
    status_code: int | None
    response_time: float | None  # seconds until the last answer's head; None without an answer
    error: str | None  # one sentence; None when UP


def check_url(url: str, allowed: AllowList, timeout: float) -> HttpCheck:
    """GET `url`, following redirects within the allow-list.

    `timeout` (seconds) bounds the whole check but for the look-up of names; no body is read.
    Whatever goes wrong, a refused URL included, makes the outcome DOWN and is told in `error`.
    """
    started = time.monotonic()
    try:
        status_code = _last_status(url, allowed, started + timeout)
    except TimeoutError:
        return _down(url, f"no answer within {timeout:g} s")
    except (OSError, HTTPException, ValueError) as error:
        return _down(url, str(error) or type(error).__name__)
    up = status_code < 400
    return HttpCheck(
        url=url,
        status="UP" if up else "DOWN",
        status_code=status_code,
        response_time=round(time.monotonic() - started, 3),
        error=None if up else f"the answer's status is {status_code}",
    )


def _down(url: str, error: str) -> HttpCheck:
    """The outcome without an answer."""
    return HttpCheck(url=url, status="DOWN", status_code=None, response_time=None, error=error)


def _last_status(url: str, allowed: AllowList, deadline: float) -> int:
    for _ in range(MAX_REDIRECTS + 1):
        status, location = _get(parse_url(url), allowed, deadline)
        if status not in _REDIRECTS or location is None:
            return status
        url = urljoin(url, location)
    raise ValueError(f"more than {MAX_REDIRECTS} redirects")


def _get(url: SplitResult, allowed: AllowList, deadline: float) -> tuple[int, str | None]:
    """The status of the answer, and where it redirects to."""
    host, port = _host_and_port(url)
    kind = HTTPSConnection if url.scheme == "https" else HTTPConnection
    connection = kind(host, port)
    with (
        _connect(host, port, allowed, deadline) as plain,
        _secured(plain, url.scheme, host, deadline) as stream,
    ):
        # http.client would look the name up again, and might be given another address by then.
        connection.sock = _TimelySocket(stream, deadline)
        connection.request("GET", _path_and_query(url), headers=_HEADERS)
        answer = connection.getresponse()
        return answer.status, answer.getheader("Location")


def _connect(host: str, port: int, allowed: AllowList, deadline: float) -> socket.socket:
    """Connect to the first address of `host` that is allowed and answers.

    The name is looked up once, and what is checked is the very address that is connected to: a name
    that resolves to another address a moment later gains nothing.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    permitted = [entry for entry in found if allowed.permits(host, str(entry[4][0]))]
    if not permitted:
        addresses = ", ".join(sorted({str(entry[4][0]) for entry in found}))
        raise ValueError(f"{host} ({addresses}) is not allowed by MONITORING_ALLOWED_HOSTS")
    failure: OSError | None = None
    for family, kind, protocol, _, address in permitted:
        connection = socket.socket(family, kind, protocol)
        try:
            connection.settimeout(_remaining(deadline))
            connection.connect(address)
        except OSError as error:
            connection.close()
            failure = error
        else:
            return connection
    raise failure or OSError(f"{host} has no address")


def _secured(plain: socket.socket, scheme: str, host: str, deadline: float) -> socket.socket:
    """The connection to speak HTTP over: with TLS for https, its certificate verified."""
    plain.settimeout(_remaining(deadline))
    if scheme == "http":
        return plain
    return ssl.create_default_context().wrap_socket(plain, server_hostname=host)


class _TimelySocket(io.RawIOBase):
    """What http.client needs of a socket, with every wait ending at the same deadline.

    A socket's own time-out starts again with each byte, so that a server could hold a check for as
    long as it likes.
    """

    def __init__(self, stream: socket.socket, deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline

    def sendall(self, data: bytes) -> None:
        self._stream.settimeout(_remaining(self._deadline))
        self._stream.sendall(data)

    def makefile(self, mode: str) -> io.BufferedReader:
        assert mode == "rb"
        return io.BufferedReader(self)

    def close(self) -> None:
        """Nothing, as http.client closes it too early; who opened the stream closes it."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        self._stream.settimeout(_remaining(self._deadline))
        return self._stream.recv_into(buffer)


def _host_and_port(url: SplitResult) -> tuple[str, int]:
    assert url.hostname is not None  # parse_url has seen to it
    return url.hostname, url.port or _PORTS[url.scheme]


def _path_and_query(url: SplitResult) -> str:
    return (url.path or "/") + (f"?{url.query}" if url.query else "")


def _remaining(deadline: float) -> float:
    """Seconds until the deadline. TimeoutError when it has passed."""
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise TimeoutError
    return seconds
