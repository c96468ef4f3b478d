"""Running the tasks' checks by themselves, and noticing what a sandbox does not say: memory kills, its end.

A check is a question to the kernel's facts (``questions``), or a script of the lab bundle, run inside the sandbox from
the read-only mount ``/.bulkhead`` by the static shell that lies there, so that whatever a student does to the image's
own shell, libraries or PATH, the answer is still ours. ``check_session`` is one look at one session and returns
the news; ``Checker`` decides when to look: shortly after a command ended in one of its terminals (the bridge sends the
session id as a datagram), when the site asks, and on a slow timer for what happens without a command.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from runtime_agent import content, marks, progress, protocol, questions, rewind, sandbox, spawn, xray
from runtime_agent.errors import AgentError
from runtime_agent.lab import Lab, Script, Task
from runtime_agent.launch import last_line
from runtime_agent.marks import TerminalMark
from runtime_agent.progress import Progress
from runtime_agent.questions import Question, QuestionError
from runtime_agent.records import SITE, Record
from runtime_agent.sessions import Sessions
from runtime_agent.settings import Settings
from runtime_agent.terminal import Terminal

DEBOUNCE_SECONDS = 0.15
HOLD_SECONDS = 10.0
"""How long a look that nobody waits for is put off while students wait for their start."""
TIMER_SECONDS = 15.0
MAX_CHECK_OUTPUT_BYTES = 64 * 1024
SHELL = ("/.bulkhead/bin/busybox", "sh")
ENVIRONMENT = {"PATH": "/.bulkhead/bin", "HOME": "/", "LC_ALL": "C"}
log = logging.getLogger(__name__)

News = tuple[str, dict[str, Any]]
"""An event's kind and payload."""


class Examiner:
    """Runs checks in the sandboxes of one session. ``machinery`` and ``terminals`` as in Sessions."""

    def __init__(self, settings: Settings, *, machinery: ModuleType | Any = sandbox,
                 terminals: ModuleType | Any = spawn, collect: Callable[..., Any] = xray.collect):
        self.settings, self.machinery, self.terminals, self.collect = settings, machinery, terminals, collect

    def look(self, session_id: str, lab: Lab, found: Progress, after_command: bool) -> list[News]:
        """Run every due check once, update ``found`` and return what is new in it.

        When the open step's last task passes, the next step's tasks are looked at in the same go: the work may have
        been done already. "Not yet" is news only of a task that was open when a command ended; before that the
        student has not tried.
        """
        if after_command:
            found.note_tried(found.due(lab))
        boxes = {machine: self.machinery.find(self.settings, session_id, machine) for machine in lab.machines}
        if gone := [machine for machine, box in boxes.items() if box is None]:
            return [("exited", {"machine": gone[0], "status": -1})]
        news = self._memory_kills(boxes, found) + self._closed_terminals(boxes, found)
        looked_at: set[str] = set()
        while due := [task for task in found.due(lab) if task.id not in looked_at]:
            for task in due:
                looked_at.add(task.id)
                news += self._examine(boxes[task.machine], task, found)
        return news

    def _memory_kills(self, boxes: dict[str, Any], found: Progress) -> list[News]:
        kills = {machine: box.oom_kills() for machine, box in boxes.items()}
        return [("oom", {"machine": machine, "kills": count}) for machine, count in kills.items()
                if found.note_oom_kills(machine, count)]

    def _closed_terminals(self, boxes: dict[str, Any], found: Progress) -> list[News]:
        news: list[News] = []
        for machine, box in boxes.items():
            for number, entry in box.state.get("terminals", {}).items():
                terminal = Terminal.from_state(entry)
                if not terminal.is_alive() and found.note_closed(number, terminal.conmon_pid):
                    news.append(("terminal", {"number": int(number), "machine": machine, "state": "closed",
                                              "status": terminal.exit_status()}))
        return news

    def _examine(self, box: Any, task: Task, found: Progress) -> list[News]:
        has_passed, text = self.ask(box, task.check)
        if has_passed:
            return [("task_passed", {"task": task.id, "saw": text})] if found.note_passed(task.id, text) else []
        if task.fail:
            is_broken, reason = self.ask(box, task.fail)
            if is_broken:
                news = found.note_broken(task.id, reason)
                return [("task_broken", {"task": task.id, "why": reason})] if news else []
        is_news = task.id in found.tried and found.note_pending(task.id, text)
        return [("task_pending", {"task": task.id, "why": text})] if is_news else []

    def ask(self, box: Any, check: Script | Question) -> tuple[bool, str]:
        """One answer: (passed, what was seen or why not yet)."""
        return self._ask_kernel(box, check) if isinstance(check, Question) else self._run(box, check)

    def _ask_kernel(self, box: Any, question: Question) -> tuple[bool, str]:
        known = self.collect(box, question.parts())
        if known is None:
            raise AgentError("lost", "the sandbox has just ended")
        try:
            return questions.answer(question, known)
        except QuestionError as error:
            log.warning("bad question session_id=%s: %s: %s", box.session_id, question.expression, error)
            return False, f"the check could not be asked: {error}"

    def _run(self, box: Any, script: Script) -> tuple[bool, str]:
        """Run one script: (exit status was 0, the last line it printed)."""
        result = self.terminals.run(self.settings, box, [*SHELL, f"/.bulkhead/{script.run}"], script.user,
                                    script.timeout, env=ENVIRONMENT, max_output=MAX_CHECK_OUTPUT_BYTES)
        if result.timed_out:
            return False, f"the check took longer than {script.timeout:g} s"
        return result.status == 0, last_line(result.output)


class Schedule:
    """Which session is to be looked at when. A session is never handed out twice at the same time."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, is_rush: Callable[[], bool] = lambda: False):
        self._clock, self._is_rush = clock, is_rush
        self._due: dict[str, float] = {}
        self._patient: set[str] = set()
        """Those of _due that nobody waits for."""
        self._running: set[str] = set()
        self._changed = threading.Condition()

    def ask_for(self, session_id: str, delay_seconds: float = 0.0) -> None:
        """The first request fixes the time: a program that ends commands without pause can't put it off."""
        with self._changed:
            self._patient.discard(session_id)
            self._set_due(session_id, delay_seconds)

    def ask_some_time(self, session_id: str) -> None:
        """Nobody waits for this look; in a rush it is put off."""
        with self._changed:
            if session_id not in self._due:
                self._patient.add(session_id)
            self._set_due(session_id, 0.0)

    def _set_due(self, session_id: str, delay_seconds: float) -> None:
        due = self._clock() + delay_seconds
        self._due[session_id] = min(due, self._due.get(session_id, due))
        self._changed.notify()

    def take(self, timeout_seconds: float) -> str | None:
        """Wait for a session that is due and claim it; None after the timeout."""
        deadline = self._clock() + timeout_seconds
        with self._changed:
            while (now := self._clock()) < deadline:
                held = self._patient if self._is_rush() else ()
                free = [(due + HOLD_SECONDS * (session in held), session) for session, due in self._due.items()
                        if session not in self._running]
                first, session_id = min(free, default=(deadline, ""))
                if first <= now:
                    del self._due[session_id]
                    self._patient.discard(session_id)
                    self._running.add(session_id)
                    return session_id
                self._changed.wait(min(first, deadline) - now)
        return None

    def done(self, session_id: str) -> None:
        with self._changed:
            self._running.discard(session_id)
            self._changed.notify()


class Checker:
    """Looks at sessions when they are due and emits what is new."""

    def __init__(self, settings: Settings, sessions: Sessions, examiner: Examiner):
        self.settings, self.sessions, self.examiner = settings, sessions, examiner
        self.records = sessions.records
        self.schedule = Schedule(is_rush=sessions.capacity.is_rush)
        self.commanded: set[str] = set()
        """Sessions in which a command has ended since the last look."""
        self.asking: set[str] = set()
        """Sessions with an open task that asks the facts: a change of their processes is worth a look."""
        self.on_mark: Callable[[TerminalMark], None] = lambda mark: None

    def look_now(self, session_id: str, after_command: bool = True) -> None:
        """One look at one session, if it is the site's and ready."""
        record = self.records.find(session_id)
        if record is None or record.state != "ready" or record.owner != SITE:
            return
        path = self.records.progress_path(session_id)
        found = progress.load(path)
        try:
            lab = content.load_lab(self.settings.content_dir, record.lab)
            step = found.open_step(lab)
            news = self.examiner.look(session_id, lab, found, after_command)
            self._note_asking(session_id, any(isinstance(task.check, Question) for task in found.due(lab)))
        except AgentError as error:  # the sandbox went away under the check, or is going: the next look tells
            log.warning("check failed session_id=%s: %s", session_id, error)
            return
        with self.sessions.lock_of(session_id):
            current = self.records.find(session_id)
            if current is None or current.generation != record.generation:
                return  # deleted or restarted while we looked
            self._tell(current, news)
            if found.open_step(lab) not in (step, None):
                rewind.keep_point(self.sessions, current, lab, found.open_step(lab))
            if news or after_command:
                progress.save(path, found)

    def _note_asking(self, session_id: str, is_asking: bool) -> None:
        (self.asking.add if is_asking else self.asking.discard)(session_id)

    def _tell(self, current: Record, news: list[News]) -> None:
        """Events first, then a point to go back to, then the progress: a death in between repeats and never loses."""
        for kind, payload in news:
            self.sessions.emit(kind, current, payload)
            if kind == "exited":
                current.state = "exited"
                self.records.save(current)

    def work(self, stopped: threading.Event) -> None:
        """Thread body: take what is due, one at a time. Several threads may run it."""
        while not stopped.is_set():
            if session_id := self.schedule.take(1.0):
                after_command = session_id in self.commanded
                self.commanded.discard(session_id)
                try:
                    self.look_now(session_id, after_command)
                except Exception:  # what one sandbox's oddity breaks must not end the checks of all the others
                    log.exception("check failed session_id=%s", session_id)
                finally:
                    self.schedule.done(session_id)

    def listen(self, stopped: threading.Event, path: Path) -> None:
        """Thread body: the bridge's marks, and the slow timer between them."""
        with marks.receiver(path) as bridge:
            next_round = 0.0
            while not stopped.is_set():
                self._receive(bridge)
                if time.monotonic() >= next_round:
                    next_round = time.monotonic() + TIMER_SECONDS
                    for record in self.records.all():
                        self.schedule.ask_some_time(record.session_id)

    def _receive(self, bridge: socket.socket) -> None:
        try:
            mark = marks.decode(bridge.recv(marks.MAX_BYTES))
        except TimeoutError:
            return
        except protocol.ProtocolError as error:
            log.warning("bad mark: %s", error)
            return
        if mark.is_done:
            self.commanded.add(mark.session_id)
            self.schedule.ask_for(mark.session_id, DEBOUNCE_SECONDS)
        self.on_mark(mark)
