"""Facts for open panels: looked at while somebody looks, sent as differences.

The site says on a session's wish channel that a panel is open, and says so again every few seconds; when it falls
silent, the looking ends by itself. A session is looked at once a second, and at once when its processes have changed
or a command has ended. Only what has changed is published. Versions count up from the clock, so that they never repeat
over a restart, and whoever misses one asks for the whole document.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import redis

from runtime_agent import protocol, questions, sandbox, xray
from runtime_agent.errors import AgentError
from runtime_agent.protocol import facts_codec
from runtime_agent.protocol.facts_codec import FactsFrame
from runtime_agent.questions import Question, QuestionError
from runtime_agent.records import Records
from runtime_agent.settings import Settings
from runtime_agent.xray import cgroups, history, looks, patch
from runtime_agent.xray.historian import Historian

PERIOD_SECONDS = 1.0
TICK_SECONDS = 0.2
SLOW_SECONDS = 3.0
"""What changes seldom and costs more is looked at every three seconds, and when a command has ended."""
ALIVE_MS = 5000
"""So often a panel hears at least that somebody looked, also when nothing has changed."""
RETRY_SECONDS = 1.0
ASK_SECONDS, SILENT_SECONDS = 10.0, 30.0
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

    def __init__(self, settings: Settings, records: Records, historian: Historian, *, find: Callable[..., Any] = sandbox.find,
                 collect: Callable[..., Any] = xray.collect, clock: Callable[[], float] = time.monotonic):
        self.settings, self.records, self.historian = settings, records, historian
        self.find, self.collect, self.clock = find, collect, clock
        self.publisher = redis.Redis.from_url(settings.redis_url, socket_timeout=3)
        self.watches: dict[str, Watch] = {}
        self.woken = threading.Event()

    # --- wishes -------------------------------------------------------------------------------------------

    def listen(self, stopped: threading.Event) -> None:
        while not stopped.is_set():
            try:
                bus = redis.Redis.from_url(self.settings.redis_url, socket_timeout=3, socket_connect_timeout=3)
                with bus.pubsub(ignore_subscribe_messages=True) as wishes:
                    wishes.psubscribe(protocol.FACTS_WISH_PATTERN)
                    wishes.get_message(timeout=1.0)  # the confirmation: only now is a wish heard
                    self.publisher.publish(protocol.FACTS_HELLO_CHANNEL, self.settings.host)
                    self._hear(wishes, stopped)
            except redis.RedisError as error:
                log.warning("no wishes for facts: %s", error)
                stopped.wait(RETRY_SECONDS)

    def _hear(self, wishes: Any, stopped: threading.Event) -> None:
        """Take wishes until the line is lost. A Redis whose machine lost its power does not say so, hence it is asked."""
        heard = asked = self.clock()
        while not stopped.is_set():
            message, now = wishes.get_message(timeout=1.0), self.clock()
            if message:
                heard = now
                if message["type"] == "pmessage":
                    self.take(message["channel"], message["data"])
            elif now - heard > SILENT_SECONDS:
                raise redis.ConnectionError("it has fallen silent")
            elif now - max(heard, asked) > ASK_SECONDS:
                wishes.ping()
                asked = now

    def take(self, channel: bytes, wish: bytes) -> None:
        """One wish; of a session that this host does not have, or in other words, it is none."""
        try:
            session_id = protocol.check_session_id(channel.decode("ascii", "replace")[len("facts:"):-len(":in")])
        except protocol.ProtocolError:
            return
        record = self.records.find(session_id)
        if record is None or record.state != "ready":
            return
        if wish.startswith(protocol.FACTS_ASK):
            self._answer(session_id, *wish.decode("utf-8", "replace").split(" ", 2)[1:])
        if wish not in (protocol.FACTS_OPEN, protocol.FACTS_KEEP):
            return
        watch = self.watches.setdefault(session_id, Watch(session_id))
        watch.until = self.clock() + protocol.FACTS_WATCH_SECONDS
        if wish == protocol.FACTS_OPEN:
            watch.wants_whole = True
            self.woken.set()

    def _answer(self, session_id: str, name: str = "", expression: str = "") -> None:
        """One question of the site, about a number of a lesson. What can't be asked or found is null."""
        value = None
        try:
            for box in list(looks.boxes(self.settings, self.records, session_id, self.find).values())[:1]:
                known = self.collect(box, Question(expression).parts())
                value = questions.ask(expression, known) if known else None
        except (QuestionError, OSError, AgentError) as error:
            log.warning("question not answered session_id=%s: %s", session_id, error)
        self.publisher.publish(protocol.facts_answer_channel(session_id, name), history.dump({"value": value}))

    def is_watched(self, session_id: str) -> bool:
        return session_id in self.watches

    def hurry(self, session_id: str) -> None:
        """A command has begun or ended."""
        if watch := self.watches.get(session_id):
            watch.is_hurried = True
            self.woken.set()

    def remark(self, session_id: str, sentence: str) -> None:
        """Tell the open panels of a session why a wish was not granted. Nobody there is no error."""
        try:
            self.publisher.publish(protocol.facts_channel(session_id),
                                   facts_codec.encode(0, FactsFrame.REMARK, history.dump({"refused": sentence})))
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
            watch.boxes = looks.boxes(self.settings, self.records, watch.session_id, self.find)
            watch.groups = [looks.group_of(box) for box in watch.boxes.values()]
        machines = looks.look(watch.boxes, watch.known.get("machines", {}), is_whole, self.collect)
        events, at = self.historian.note(watch.session_id, machines), self.historian.now()
        self._send(watch, {"machines": machines, "events": events, "looked_at": at - at % ALIVE_MS})

    def _send(self, watch: Watch, document: dict[str, Any]) -> None:
        """A patch for those who have the version before; the past and the whole for one who has just come."""
        changed = patch.difference(watch.known, document)
        channel = protocol.facts_channel(watch.session_id)
        if changed:
            watch.known, watch.version = document, watch.version + 1
            self.publisher.publish(channel, facts_codec.encode(watch.version, FactsFrame.PATCH, history.dump(changed)))
        if watch.wants_whole:
            watch.wants_whole = False
            past = self.historian.body(watch.session_id)
            self.publisher.publish(channel, facts_codec.encode(watch.version, FactsFrame.HISTORY, past))
            self.publisher.publish(channel, facts_codec.encode(watch.version, FactsFrame.WHOLE, history.dump(document)))
