"""The control worker as the site sees it: messages in, events out, over a Redis of its own."""

from __future__ import annotations

import contextlib
import json
import queue
import socket
from collections.abc import Iterator
from pathlib import Path

import redis
from celery import Celery
from kombu import Connection

from runtime_agent import protocol, sandbox, settings
from runtime_agent.celeryapp import broker_url
from tests.agent.labs import lab_document, publish
from tests.instance import CACHE, Instance, wait_until


class Site:
    """What the web side is to the agent: it sends messages and reads queue ``web``."""

    def __init__(self, instance: Instance):
        self.instance = instance
        self.settings = settings.load(instance.environment)
        url = broker_url(self.settings.redis_url)
        self.app = Celery("site", broker=url, set_as_current=False)
        self.connection = Connection(url)
        self.events: list[dict] = []
        self.lab = publish(self.settings.content_dir, lab_document())

    def create(self, session_id: str, lab: str | None = None, generation: int = 1) -> None:
        self.app.send_task(protocol.TASK_CREATE, queue=protocol.QUEUE_SANDBOXES, kwargs={
            "session_id": session_id, "generation": generation, "lab": lab or self.lab, "resume": False})

    def tell(self, task: str, **arguments) -> None:
        self.app.send_task(task, queue=protocol.agent_queue(self.settings.host), kwargs=arguments)

    def mark(self, session_id: str) -> None:
        """What the bridge says when a command has ended in a terminal."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bridge:
            bridge.sendto(session_id.encode(), str(self.settings.run_dir / "agent" / "marks.sock"))

    def delete(self, session_id: str) -> None:
        self.tell(protocol.TASK_DELETE, session_id=session_id, keep=False)

    def of(self, session_id: str, kind: str | None = None) -> list[dict]:
        """Events of one session that have arrived so far, in order of arrival."""
        self.receive()
        return [event for event in self.events if event["session_id"] == session_id
                and kind in (None, event["kind"])]

    def wait_for(self, session_id: str, kind: str, count: int = 1, seconds: float = 20, **payload) -> dict:
        """The ``count``-th event of a kind whose payload has these values; AssertionError with the log if late."""
        def found():
            events = [event for event in self.of(session_id, kind)
                      if payload.items() <= event["payload"].items()]
            return events[count - 1] if len(events) >= count else None
        try:
            return wait_until(found, seconds, f"{kind} {payload}")
        except TimeoutError as error:
            raise AssertionError(f"{error}; got {self.of(session_id)}\n{self.instance.log('control')}") from None

    def receive(self) -> None:
        with contextlib.suppress(queue.Empty), self.connection.SimpleQueue(protocol.QUEUE_WEB) as inbox:
            while True:
                message = inbox.get(block=False)
                self.events.append(message.payload[1])
                message.ack()

    def heartbeat(self) -> dict:
        with redis.Redis.from_url(self.settings.redis_url) as bus:
            return json.loads(bus.hget(protocol.HOSTS_KEY, self.settings.host) or "{}")

    def places(self) -> set[str]:
        return {box.spec.session_id for box in sandbox.living(self.settings)}


@contextlib.contextmanager
def agent(tmp_path: Path, **environment: str) -> Iterator[Site]:
    """A private Redis and a control worker; every sandbox that is left at the end is deleted."""
    instance = Instance(tmp_path, **environment)
    for folder in ("redis", "content", "agent"):
        (instance.state / folder).mkdir(parents=True)
    instance.run.mkdir(parents=True)
    assert (CACHE / "agent" / "images").is_dir(), f"no images under {CACHE}: sudo ./lab test builds them"
    (instance.state / "agent" / "images").symlink_to(CACHE / "agent" / "images")
    try:
        instance.start("redis", "control")
        site = Site(instance)
        yield site
        for session_id in {*site.places(), *(event["session_id"] for event in site.events)}:
            site.delete(session_id)
        wait_until(lambda: not site.places(), 20, "the last sandbox to go")
    finally:
        instance.stop()
