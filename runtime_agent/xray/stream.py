"""Facts for open panels: looked at while somebody looks, sent as differences.

The site says on a session's wish channel that a panel is open, and says so again every few seconds; when it falls
silent, the looking ends by itself. A session is looked at once a second, and at once when its processes have changed
or a command has ended. Only what has changed is published. Versions count up from the clock, so that they never repeat
over a restart, and whoever misses one asks for the whole document.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import redis

from runtime_agent import protocol, sandbox, xray
from runtime_agent.errors import AgentError
from runtime_agent.protocol import FactsFrame
from runtime_agent.records import Records
from runtime_agent.settings import Settings
from runtime_agent.xray import cgroups, patch

PERIOD_SECONDS = 1.0
TICK_SECONDS = 0.2
SLOW_PARTS = frozenset({"layers", "changes", "networks", "mounts"})
SLOW_SECONDS = 3.0
"""What changes seldom and costs more is looked at every three seconds, and when a command has ended."""
RETRY_SECONDS = 1.0
log = logging.getLogger(__name__)


@dataclass
class Watch:
    """One session that somebody looks at."""

    session_id: str
    version: int = field(default_factory=lambda: time.time_ns() // 1_000_000)
    until: float = 0.0
    next_look: float = 0.0
    next_slow: float = 0.0
    wants_whole: bool = True
    is_hurried: bool = False
    boxes: dict[str, Any] = field(default_factory=dict)
    groups: list[Any] = field(default_factory=list)
    pids: frozenset[int] = frozenset()
    known: dict[str, Any] = field(default_factory=dict)


class Stream:
    """``listen`` and ``work`` are thread bodies; ``hurry`` may be called from any thread."""

    def __init__(self, settings: Settings, records: Records, *, find: Callable[..., Any] = sandbox.find,
                 collect: Callable[..., Any] = xray.collect, clock: Callable[[], float] = time.monotonic):
        self.settings, self.records, self.find, self.collect, self.clock = settings, records, find, collect, clock
        self.publisher = redis.Redis.from_url(settings.redis_url, socket_timeout=3)
        self.watches: dict[str, Watch] = {}
        self.woken = threading.Event()

    # --- wishes -------------------------------------------------------------------------------------------

    def listen(self, stopped: threading.Event) -> None:
        while not stopped.is_set():
            try:
                with redis.Redis.from_url(self.settings.redis_url).pubsub(ignore_subscribe_messages=True) as wishes:
                    wishes.psubscribe(protocol.FACTS_WISH_PATTERN)
                    wishes.get_message(timeout=1.0)  # the confirmation: only now is a wish heard
                    self.publisher.publish(protocol.FACTS_HELLO_CHANNEL, self.settings.host)
                    while not stopped.is_set():
                        if message := wishes.get_message(timeout=1.0):
                            self.take(message["channel"], message["data"])
            except redis.RedisError as error:
                log.warning("no wishes for facts: %s", error)
                stopped.wait(RETRY_SECONDS)

    def take(self, channel: bytes, wish: bytes) -> None:
        """One wish; of a session that this host does not have, or in other words, it is none."""
        try:
            session_id = protocol.check_session_id(channel.decode("ascii", "replace")[len("facts:"):-len(":in")])
        except protocol.ProtocolError:
            return
        record = self.records.find(session_id)
        if wish not in (protocol.FACTS_OPEN, protocol.FACTS_KEEP) or record is None or record.state != "ready":
            return
        watch = self.watches.setdefault(session_id, Watch(session_id))
        watch.until = self.clock() + protocol.FACTS_WATCH_SECONDS
        if wish == protocol.FACTS_OPEN:
            watch.wants_whole = True
            self.woken.set()

    def hurry(self, session_id: str) -> None:
        """A command has ended."""
        if watch := self.watches.get(session_id):
            watch.is_hurried = True
            self.woken.set()

    def remark(self, session_id: str, sentence: str) -> None:
        """Tell the open panels of a session why a wish was not granted. Nobody there is no error."""
        try:
            self.publisher.publish(protocol.facts_channel(session_id),
                                   protocol.encode_facts(0, FactsFrame.REMARK, dump({"refused": sentence})))
        except redis.RedisError as error:
            log.warning("remark not sent session_id=%s: %s", session_id, error)

    # --- looking ------------------------------------------------------------------------------------------

    def work(self, stopped: threading.Event) -> None:
        while not stopped.is_set():
            self.woken.wait(TICK_SECONDS if self.watches else 1.0)
            self.woken.clear()
            self.look_around()

    def look_around(self) -> None:
        """One round over everything that is watched."""
        for watch in list(self.watches.values()):
            if watch.until < self.clock():
                del self.watches[watch.session_id]
                continue
            try:
                if self._is_due(watch):
                    self._look(watch)
            except (redis.RedisError, OSError, AgentError) as error:
                log.warning("facts not sent session_id=%s: %s", watch.session_id, error)
            except Exception:  # what one sandbox's oddity breaks must not blind the other panels
                log.exception("facts not collected session_id=%s", watch.session_id)
                watch.next_look = self.clock() + PERIOD_SECONDS

    def _is_due(self, watch: Watch) -> bool:
        pids = frozenset(pid for group in watch.groups for pid in cgroups.pids(group))
        has_changed, watch.pids = pids != watch.pids, pids
        return has_changed or watch.wants_whole or watch.is_hurried or watch.next_look <= self.clock()

    def _look(self, watch: Watch) -> None:
        now = self.clock()
        is_whole = watch.wants_whole or watch.is_hurried or watch.next_slow <= now
        watch.next_look, watch.is_hurried = now + PERIOD_SECONDS, False
        if is_whole:
            watch.next_slow = now + SLOW_SECONDS
        if not watch.pids or watch.wants_whole:
            watch.boxes = self._find(watch.session_id)
            watch.groups = [group_of(box) for box in watch.boxes.values()]
        parts = xray.PARTS if is_whole else xray.PARTS - SLOW_PARTS
        machines = {}
        for name, box in watch.boxes.items():
            if found := self.collect(box, parts):
                machines[name] = {**watch.known.get("machines", {}).get(name, {}), **patch.to_wire(found)}
        self._send(watch, {"machines": machines})

    def _find(self, session_id: str) -> dict[str, Any]:
        found = {name: self.find(self.settings, session_id, name) for name in self.records.machines(session_id)}
        return {name: box for name, box in found.items() if box is not None}

    def _send(self, watch: Watch, document: dict[str, Any]) -> None:
        """A patch for those who have the version before; the whole for one who has just come, as the same version."""
        changed = patch.difference(watch.known, document)
        channel = protocol.facts_channel(watch.session_id)
        if changed:
            watch.known, watch.version = document, watch.version + 1
            self.publisher.publish(channel, protocol.encode_facts(watch.version, FactsFrame.PATCH, dump(changed)))
        if watch.wants_whole:
            watch.wants_whole = False
            self.publisher.publish(channel, protocol.encode_facts(watch.version, FactsFrame.WHOLE, dump(document)))


def group_of(box: Any) -> Any:
    return sandbox.group(box.settings, box.session_id, box.machine)


def dump(document: dict[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
