"""``python -m runtime_agent control``: the process that makes and removes sandboxes (root).

It wires the parts together and starts them: a Celery worker of four threads in this process, and beside it
one thread each for sending events, listening to marks, the heartbeat, the pool and the reaper, and two for running
checks. It holds no truth: kill it at any time, and the next one carries on from the disk.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import warnings
from collections.abc import Callable
from typing import Any

from celery.platforms import SecurityWarning
from celery.signals import task_received, worker_ready, worker_shutting_down
from kombu.exceptions import OperationalError

from runtime_agent import (
    cgroup,
    claims,
    duty,
    events,
    fleet,
    heartbeat,
    image_progress,
    images,
    library,
    logs,
    metrics,
    namespace,
    notify,
    opened,
    protocol,
    reaper,
    recovery,
    sandbox,
    selftest,
    state,
    tasks,
)
from runtime_agent.capacity import Capacity, QueueTap
from runtime_agent.checks import Checker, Examiner
from runtime_agent.marks import TerminalMark
from runtime_agent.placement import Placement
from runtime_agent.pool import Pool
from runtime_agent.records import SITE, Records
from runtime_agent.sessions import Sessions
from runtime_agent.settings import Settings
from runtime_agent.student_limits import StudentLimits
from runtime_agent.xray.changes import Changes
from runtime_agent.xray.historian import Historian
from runtime_agent.xray.stream import Stream

WORKER_THREADS = 4
CHECK_THREADS = 2
AGAIN_SECONDS = 2.0
PLACES_SECONDS = 0.5
log = logging.getLogger(__name__)


class Control:
    """The parts of one control process and their threads."""

    def __init__(self, settings: Settings):
        self.settings = settings
        self.stopped, self.is_ready = threading.Event(), threading.Event()
        self.outbox = events.Outbox(settings.agent_dir / "outbox", settings.host)
        self.capacity = Capacity(settings.capacity, self._places, fresh_seconds=PLACES_SECONDS)
        self.facts = {"cgroup": cgroup.version(), "runtime": sandbox.runtime_name(settings)}
        self.pool = Pool(settings, self.capacity)
        self.sessions = Sessions(settings, self.outbox, self.capacity, Records(settings.agent_dir),
                                 machinery=self.pool, facts=self.facts)
        self.sessions.claims = claims.Claims(settings)
        self.placement = Placement(settings)
        self.placement.on_change = lambda: self.sessions.on_places_changed(0)
        self.library = library.Library(settings, lambda: (record.lab for record in self.sessions.records.all())) \
            if settings.is_joined else None
        if self.library:
            self.sessions.ensure_lab = self.library.ensure
        self.checker = Checker(settings, self.sessions, Examiner(settings))
        self.sessions.on_check = self.checker.schedule.ask_for
        self.sessions.on_ready = self.checker.schedule.ask_some_time
        self.historian = Historian(settings, self.sessions.records,
                                   is_watched=lambda session_id: self.stream.is_watched(session_id),
                                   is_rush=self.capacity.is_rush)
        self.stream = Stream(settings, self.sessions.records, self.historian)
        self.checker.on_mark = self._note_mark
        self.sessions.on_limits = StudentLimits(settings, self.sessions.records, self.stream.remark,
                                                self.stream.hurry).change
        tasks.install(self.sessions)

    def run(self) -> int:
        """Serve until SIGTERM or SIGINT; the sandboxes stay."""
        worker_ready.connect(self._worker_is_ready)
        worker_shutting_down.connect(self._worker_stops)
        worker = tasks.app.Worker(
            pool="threads", concurrency=WORKER_THREADS, hostname=f"agent@{self.settings.host}",
            queues=[protocol.QUEUE_SANDBOXES, protocol.agent_queue(self.settings.host)],
            without_gossip=True, without_mingle=True, without_heartbeat=True, optimization="fair",
            loglevel="INFO", quiet=True)
        self._start_threads()
        metrics.serve(self.settings.metrics_port, self.figures())
        worker.start()
        self.stopped.set()
        return worker.exitcode or 0

    def describe(self) -> dict[str, Any]:
        """This host's line in the table of hosts."""
        return {"capacity": self.settings.capacity, "used": self.capacity.used(),
                "images": images.installed(self.settings), "image_states": image_progress.states(self.settings),
                "kernel": os.uname().release, "warm": self.pool.count(), "labels": self.settings.labels,
                "is_open": self.placement.is_open,
                "wish": self.placement.wish.get("generation", -1), "version": fleet.VERSION,
                "load": os.getloadavg()[0], "cores": os.cpu_count() or 1, "memory": memory_bytes(),
                **({"catalog": self.library.describe()} if self.library else {}), **self.facts}

    def inventory(self) -> heartbeat.Inventory:
        """What the site has placed here, with or without a sandbox behind it."""
        return {record.session_id: (record.generation, record.state) for record in self.sessions.records.all()
                if record.owner == SITE}

    def figures(self) -> metrics.Host:
        return metrics.Host(self.settings.capacity, self.capacity.used, self.pool.count, self.outbox.directory,
                            self.settings.agent_dir, self.is_ready.is_set)

    def _note_mark(self, mark: TerminalMark) -> None:
        """The history first: what hurries the panels' next look is to be in it."""
        self.historian.take(mark)
        self.stream.hurry(mark.session_id)

    def _places(self) -> set[tuple[str, str]]:
        """As the disk has it, dead ones too until they are removed. Nothing is read, and pathlib would take twice as long."""
        found, top = set(), self.settings.sandboxes_dir
        for session_id in os.listdir(top):
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):  # it has just gone
                found |= {(session_id, machine) for machine in os.listdir(top / session_id)
                          if os.path.exists(f"{top}/{session_id}/{machine}/{state.FILE}")}
        return found

    def _start_threads(self) -> None:
        settings, stopped = self.settings, self.stopped
        self._thread("events", lambda: events.run(self.outbox, send_event, stopped, BROKER_FAILURES))
        self._thread("marks", lambda: self.checker.listen(stopped, settings.run_dir / "agent" / "marks.sock"))
        for number in range(CHECK_THREADS):
            self._thread(f"checks-{number}", lambda: self.checker.work(stopped))
        self._thread("facts-wishes", lambda: self.stream.listen(stopped))
        self._thread("facts", lambda: self.stream.work(stopped))
        self._thread("changes", lambda: Changes(settings, self.checker, on_change=self.historian.hurry).watch(stopped))
        self._thread("history", lambda: self.historian.work(stopped))
        self._thread("heartbeat", lambda: heartbeat.run(
            settings.redis_url, settings.host, self.describe, self.inventory, stopped))
        self._thread("placement", lambda: self.placement.run(stopped))
        if self.library:
            self._thread("library", lambda: self.library.run(stopped))
        self._thread("recover", lambda: recovery.run(self.sessions, stopped))
        self._thread("pool", lambda: self.pool.run(stopped))
        self._thread("opened", lambda: opened.run(settings, self.pool.want, stopped))
        self._thread("reaper", lambda: reaper.run(self.sessions, stopped))

    def _thread(self, name: str, body: Callable[[], None]) -> None:
        threading.Thread(target=keep, args=(name, body, self.stopped), name=name, daemon=True).start()

    def _worker_is_ready(self, sender: Any, **_: Any) -> None:
        """The consumer exists only now; from here on the tap follows the room there is."""
        tap = QueueTap(sender, self.capacity.has_room, self.placement.wanted)
        self.sessions.on_places_changed = tap.sync
        task_received.connect(lambda request, **_: self._has_arrived(request, tap), weak=False)
        self._thread("tap", lambda: keep_in_step(tap, self.stopped))
        self.is_ready.set()
        notify.ready()
        log.info("control ready host=%s capacity=%d", self.settings.host, self.settings.capacity)

    def _has_arrived(self, request: Any, tap: QueueTap) -> None:
        """Runs in the worker's loop, before it can fetch another message. A create that comes back later has no place on its
        way, and Celery forgets it if the line to Redis is cut meanwhile."""
        if request.name == protocol.TASK_CREATE and not request.eta:
            self.capacity.note_arrived(request.id)
            tap.sync_now()

    def _worker_stops(self, **_: Any) -> None:
        self.stopped.set()


def keep(name: str, body: Callable[[], None], stopped: threading.Event) -> None:
    """Run a thread's ``body``, and again if it breaks: a host whose reaper or heartbeat has ended looks whole and is not."""
    while True:
        try:
            return body()
        except Exception:
            log.exception("thread %s broke, it begins again in %g s", name, AGAIN_SECONDS)
        if stopped.wait(AGAIN_SECONDS):
            return


BROKER_FAILURES = (OperationalError, OSError)


def send_event(event: dict[str, Any]) -> None:
    """Hand one event to the site's worker; its id is also the task's, so that logs meet."""
    tasks.app.send_task(protocol.TASK_RECORD_EVENT, kwargs=event, queue=protocol.QUEUE_WEB,
                        task_id=event["event_id"], retry=False, argsrepr="", kwargsrepr="")


def memory_bytes() -> dict[str, int]:
    """{"total", "available"} of /proc/meminfo, proc(5)."""
    with open("/proc/meminfo") as file:
        lines = dict(line.split(":", 1) for line in file)
    return {"total": int(lines["MemTotal"].split()[0]) << 10, "available": int(lines["MemAvailable"].split()[0]) << 10}


def keep_in_step(tap: QueueTap, stopped: threading.Event) -> None:
    """Places also come free without us (a reaped sandbox), and a reconnect consumes everything again."""
    while not stopped.wait(1.0):
        tap.sync()


def main(settings: Settings) -> int:
    """Enter the agent's own mount namespace, before any thread exists, and serve."""
    warnings.simplefilter("ignore", SecurityWarning)  # Celery's, of root: it fears pickles, and we take JSON only
    logs.set_up("control")
    logs.follow_tasks()
    with duty.alone(settings, is_patient=True):
        namespace.enter(settings)
        return Control(selftest.choose_standard(selftest.choose(settings))).run()
