# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: it may change without notice.
"""The control client: commands to worker nodes and their replies, within one deadline.

Kombu's own broadcast waits anew after each reply, stops at the first of two workers that share a
name, counts late replies to other calls, publishes again for ever when the broker goes away, and
sends a command with an empty list of nodes to all of them. Only its names, declarations and
message format are used here.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from typing import Any, TypeVar
from uuid import uuid4

from ansible_collections.celeryops.cluster.plugins.module_utils._broker import (
    explain,
    no_answer,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._canary import Door
from ansible_collections.celeryops.cluster.plugins.module_utils._commands import check_command
from ansible_collections.celeryops.cluster.plugins.module_utils._control_file import Broker
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import CeleryOpsError
from ansible_collections.celeryops.cluster.plugins.module_utils._link import Link, load_libraries
from ansible_collections.celeryops.cluster.plugins.module_utils._replies import (
    DUPLICATE_GRACE,
    Gathering,
    Replies,
    all_duplicates,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._security import (
    Codec,
    RefusedError,
    codec,
)

T = TypeVar("T")

# Replies to a reading come within milliseconds; a worker that is silent for longer is taken for
# missing.
READING_PATIENCE = 2.5
# A broker that is down or frozen is reported after this many seconds, however long the time-out.
CONNECT_SECONDS = 4.0
CLOSE_SECONDS = 1.0
# What a step may take longer than its own time-outs say before it is given up.
MARGIN_SECONDS = 0.5
# How long it may take to find out why nobody answered; a broker that is frozen is noticed by it.
SILENCE_SECONDS = 1.0
# Late replies to this many calls still tell of duplicates.
CALLS_REMEMBERED = 16
# Of so many silent nodes it is looked up whether their mailboxes are there.
MAILBOXES_LOOKED_UP = 3


@dataclass(frozen=True)
class Call:
    """A command for some nodes.

    Attributes:
        nodes: The nodes that should answer; None when the fleet isn't known.
        directed: Whether only these nodes get the command. An undirected one also reaches nodes
            that nobody expects.
    """

    command: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    nodes: Collection[str] | None = None
    directed: bool = True


class Client:
    """Sends commands over one connection, which is made when it is first needed.

    After a fault the connection is given up, and the next call makes a new one. A client serves
    one module call or one reading; it isn't safe for use by several threads at once.

    Attributes:
        notes: Sentences on what was odd about the replies so far, or about their absence.
    """

    def __init__(self, broker: Broker, timeout: float) -> None:
        """Start the clock.

        Args:
            broker: The broker to use.
            timeout: Seconds for everything: connecting, declaring, sending and waiting.
        """
        self._broker = broker
        self._deadline = time.monotonic() + timeout
        self._codec: Codec | None = None
        self._link: Link | None = None
        # With those that were given up, since their reply queues are deleted in the end: the step
        # that used each last, which may still be at it.
        self._links: dict[Link, Future[Any]] = {}
        self._gatherings: dict[str, Gathering] = {}
        self._duplicates: set[str] = set()
        # The nodes for whose second worker was waited. One that answers later still is noticed, in
        # the next call.
        self._examined: set[str] = set()
        self.notes: list[str] = []
        # Those of them that are about silence.
        self._silences: set[str] = set()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def duplicates(self) -> list[str]:
        """The names under which more than one worker has answered any call so far."""
        return sorted(self._duplicates.union(all_duplicates(self._gatherings.values())))

    def remaining(self) -> float:
        """Seconds until the deadline, at least 0."""
        return max(0.0, self._deadline - time.monotonic())

    @contextmanager
    def at_least(self, seconds: float) -> Iterator[None]:
        """Move the deadline for a while, if need be, so that at least some seconds remain."""
        deadline = self._deadline
        self._deadline = max(deadline, time.monotonic() + seconds)
        try:
            yield
        finally:
            self._deadline = deadline

    def wait(self, seconds: float) -> None:
        """Sleep, but not beyond the deadline."""
        time.sleep(min(seconds, self.remaining()))

    def call(
        self,
        command: str,
        arguments: Mapping[str, Any] | None = None,
        nodes: Collection[str] | None = None,
        *,
        patience: float | None = None,
    ) -> Replies:
        """Send one command and wait for its replies.

        Args:
            command: A command of the table in `_commands`.
            arguments: Its arguments.
            nodes: The nodes that get it and should answer. None asks every worker, and the reply
                is complete after a quiet window; an empty list asks nobody.
            patience: Seconds to wait for silent nodes; until the deadline by default.

        Raises:
            BrokerError: The broker can't be reached or fails.
            ValueError: The command or an argument isn't in the table.
        """
        return self.call_all([Call(command, arguments or {}, nodes)], patience=patience)[0]

    def call_all(
        self,
        calls: Sequence[Call],
        *,
        patience: float | None = None,
        grace: float | None = None,
        settle: bool = False,
    ) -> list[Replies]:
        """Send several commands at once and wait for all their replies.

        A worker handles its commands in the order of `calls`.

        Args:
            calls: The commands.
            patience: Seconds to wait for silent nodes; until the deadline by default.
            grace: Seconds to wait for a second worker of a name when all nodes have answered. By
                default the wait is left out where an earlier call, also of `calls`, looks for
                duplicates of all these nodes.
            settle: Whether to give up nodes that are far slower than all others.

        Raises:
            BrokerError: The broker can't be reached or fails.
            ValueError: A command or an argument isn't in the table.
        """
        for call in calls:
            check_command(call.command, call.arguments)
        link, messages = self._connected()
        seconds = self.remaining() if patience is None else min(patience, self.remaining())
        windows = self._windows(calls) if grace is None else [grace] * len(calls)

        def send_and_gather() -> list[Gathering]:
            gatherings = [self._send(link, messages, call, seconds) for call in calls]
            self._gather(link, gatherings, seconds, windows, settle)
            return gatherings

        gatherings = self._bounded(send_and_gather, seconds + MARGIN_SECONDS)
        self._look_into_silence(link, messages, calls, gatherings)
        all_replies = [gathering.replies(time.monotonic()) for gathering in gatherings]
        for replies, window in zip(all_replies, windows, strict=True):
            if window >= DUPLICATE_GRACE:
                self._examined.update(replies.answers)
        return all_replies

    def send_canaries(self, doors: Mapping[str, Door], *, patience: float) -> Replies:
        """Put a canary into the queue of each node, and wait for all to come back.

        Args:
            doors: The way to each node's own queue.
            patience: Seconds to wait for those that don't.

        Raises:
            BrokerError: The broker can't be reached or fails.
        """
        link, messages = self._connected()
        seconds = min(patience, self.remaining())

        def send_and_gather() -> Gathering:
            ticket = str(uuid4())
            gathering = Gathering(doors, time.monotonic())
            self._remember(ticket, gathering)
            for door in doors.values():
                link.send_canary(door, ticket, messages.encode, seconds)
            self._gather(link, [gathering], seconds, [DUPLICATE_GRACE])
            return gathering

        gathering = self._bounded(send_and_gather, seconds + MARGIN_SECONDS)
        return gathering.replies(time.monotonic())

    def queue_sizes(self, names: Collection[str]) -> dict[str, int | None]:
        """The number of messages that wait in each queue; None for a queue that doesn't exist.

        On Redis, where an empty queue doesn't exist, it is 0, and all priorities are counted.

        Raises:
            BrokerError: The broker can't be reached or fails.
        """
        link, _messages = self._connected()
        return self._bounded(lambda: link.queue_sizes(names), self.remaining() + MARGIN_SECONDS)

    def run(self, step: Callable[[Any], T]) -> T:
        """Run a step with kombu's connection to the broker, until the deadline.

        Raises:
            BrokerError: The broker can't be reached or fails.
        """
        link, _messages = self._connected()
        return self._bounded(lambda: link.run(step), self.remaining() + MARGIN_SECONDS)

    def close(self) -> None:
        """Delete the reply queues and close the connections, as far as the broker still answers."""
        self._link = None
        complete = all(gathering.complete for gathering in self._gatherings.values())
        while self._links:
            in_thread(partial(_close_after, *self._links.popitem(), complete), CLOSE_SECONDS)

    def _connected(self) -> tuple[Link, Codec]:
        if self._codec is None:
            self._bounded(lambda: load_libraries(self._broker), self.remaining())
            self._codec = self._bounded(lambda: codec(self._broker), self.remaining())
        if self._link is None:
            seconds = min(CONNECT_SECONDS, self.remaining())
            link = self._bounded(
                lambda: Link(self._broker, seconds, self._receive), seconds, too_late=_close
            )
            self._link = link
        return self._link, self._codec

    def _gather(
        self,
        link: Link,
        gatherings: Sequence[Gathering],
        seconds: float,
        windows: Sequence[float],
        settle: bool = False,
    ) -> None:
        """Receive replies until nothing more is awaited."""
        limit = time.monotonic() + seconds
        waits = list(zip(gatherings, windows, strict=True))
        while True:
            over = max(
                (g.over_at(limit, window, settle=settle) for g, window in waits), default=0.0
            )
            left = over - time.monotonic()
            if left <= 0:
                return
            link.read(left)

    def _send(self, link: Link, messages: Codec, call: Call, seconds: float) -> Gathering:
        ticket = str(uuid4())
        gathering = Gathering(call.nodes, time.monotonic(), directed=call.directed)
        # Celery takes an empty list of nodes for "all of them".
        if call.nodes is None or call.nodes:
            self._remember(ticket, gathering)
            command = {
                "method": call.command,
                "arguments": dict(call.arguments),
                "destination": sorted(call.nodes) if call.nodes and call.directed else None,
                "pattern": None,
                "matcher": None,
                "ticket": ticket,
            }
            gathering.reaches(link.send(command, messages.encode, seconds))
        return gathering

    def _windows(self, calls: Sequence[Call]) -> list[float]:
        """For how long each call waits for second workers of its nodes' names."""
        examined = set(self._examined)
        windows = []
        for call in calls:
            asked = set(call.nodes or ())
            windows.append(0.0 if asked <= examined else DUPLICATE_GRACE)
            examined |= asked
        return windows

    def _remember(self, ticket: str, gathering: Gathering) -> None:
        self._gatherings[ticket] = gathering
        while len(self._gatherings) > CALLS_REMEMBERED:
            oldest = self._gatherings.pop(next(iter(self._gatherings)))
            self._duplicates |= oldest.duplicates

    def _receive(self, message: Any) -> None:
        gathering = self._gatherings.get(str(message.headers.get("ticket")))
        if gathering is None or self._codec is None:
            return
        # A worker whose reply RabbitMQ doesn't confirm publishes it once more, clock and all; a
        # second worker of its name has a clock of its own.
        if self._broker.url.startswith("amqp") and gathering.repeats(
            (message.headers.get("clock"), message.body)
        ):
            return
        try:
            gathering.add(self._codec.decode(message), time.monotonic())
        except RefusedError as refusal:
            gathering.refuse(str(refusal))

    def _look_into_silence(
        self, link: Link, messages: Codec, calls: Sequence[Call], gatherings: Sequence[Gathering]
    ) -> None:
        """Find out why a call was not answered by anybody.

        Raises:
            BrokerError: The broker doesn't answer either.
            CeleryOpsError: Replies came, and none of them could be accepted.
        """
        if any(call.nodes and not g.silent for call, g in zip(calls, gatherings, strict=True)):
            # It was silent for a while, as during a restart, and is not any more.
            self.notes[:] = [note for note in self.notes if note not in self._silences]
        for call, gathering in zip(calls, gatherings, strict=True):
            if gathering.why_refused:
                sentence = f"Replies to `{call.command}` were refused: {gathering.why_refused}."
                if gathering.silent:
                    raise CeleryOpsError(sentence)
                self._note(sentence)
            elif gathering.silent and call.nodes:
                some = sorted(call.nodes)[:MAILBOXES_LOOKED_UP]
                sentence = self._why_silent(link, messages, some)
                self._silences.add(sentence)
                self._note(sentence)

    def _why_silent(self, link: Link, messages: Codec, nodes: Sequence[str]) -> str:
        if present := self._bounded(lambda: link.mailboxes(nodes), SILENCE_SECONDS):
            return (
                f"Nobody answered, though the broker has the mailbox of {', '.join(present)}: "
                "busy (a `solo` pool answers between its tasks), stuck, killed a moment ago, or "
                f"refusing messages that come {messages.manner}; the worker's log tells which."
            )
        return (
            f"Nobody answered, and the broker has no mailbox of {', '.join(nodes)}: not running, "
            "or with another virtual host, database, key prefix or `control_exchange` than "
            f"{self._broker.origin} says."
        )

    def _note(self, sentence: str) -> None:
        if sentence not in self.notes:
            self.notes.append(sentence)

    def _bounded(
        self,
        step: Callable[[], T],
        seconds: float,
        too_late: Callable[[Future[T]], None] | None = None,
    ) -> T:
        """Run a step of messaging, for at most some seconds.

        Neither the look-up of names nor the libraries' retries honour a time-out, hence the
        thread: it is left behind when its time is over, together with the connection.
        """
        link, self._link = self._link, None
        future = in_thread(step, seconds)
        if link:
            self._links[link] = future
        if not future.done():
            if too_late:
                future.add_done_callback(too_late)
            raise no_answer(self._broker, seconds)
        try:
            value = future.result()
        except CeleryOpsError:
            raise
        except ImportError as error:
            raise CeleryOpsError(
                f"{sys.executable} can't import the messaging library ({error}): install "
                "celery[redis] for it, or give `app` so that the environment of the app is used."
            ) from error
        except Exception as error:
            raise explain(error, self._broker) from error
        self._link = link
        return value


def _close(connecting: Future[Link]) -> None:
    """Close a connection that came about when it was no longer wanted."""
    if not connecting.exception():
        connecting.result().close(complete=True)


def _close_after(link: Link, step: Future[Any], complete: bool) -> None:
    """Close a connection when nothing uses it any more: TLS with two threads ends the process."""
    wait([step])
    link.close(complete=complete)


def in_thread(step: Callable[[], T], seconds: float) -> Future[T]:
    """Run a step in a thread, and come back when it is over or after some seconds."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(step())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    wait([future], seconds)
    return future
