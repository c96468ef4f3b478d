"""``python -m runtime_agent check-labs``: does for each lab what a person would, on a real sandbox.

Start; every task must be *not passed*; type the solution's blocks step by step; each step's tasks must turn
passed, and no later one may; type everything again in the same sandbox, which must break nothing; put it away and
resume it; all within the lab's minutes. It needs no site, no broker and no other process of ours, and uses the very
modules that serve students. ``keyboard`` says how it knows that a command has ended.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from runtime_agent import content, namespace, sandbox, selftest, spawn
from runtime_agent.checks import Examiner
from runtime_agent.errors import AgentError
from runtime_agent.keyboard import Keyboard
from runtime_agent.lab import Lab, Task
from runtime_agent.launch import launch
from runtime_agent.progress import Progress
from runtime_agent.records import Record, Records
from runtime_agent.settings import Settings

LINE_SECONDS = 30.0
"""An installation of packages takes 7 on an idle machine."""
MARGIN_SECONDS = 10.0
LOOK_EVERY_SECONDS = 0.3


@dataclass
class Outcome:
    """What one lab's test found. ``faults`` empty means green."""

    lesson: str
    faults: list[str] = field(default_factory=list)
    seconds: float = 0.0
    tasks: int = 0


class LabTest:
    """One lab on one sandbox."""

    def __init__(self, settings: Settings, lab: Lab, say=print):
        self.settings, self.lab, self.say = settings, lab, say
        self.records = Records(settings.agent_dir)
        self.examiner = Examiner(settings)
        self.record = Record(str(uuid.uuid4()), 0, lab.digest, owner=f"labtest:{os.getpid()}",
                             accepted_at=time.time())
        self.outcome = Outcome(lab.lesson, tasks=len(lab.tasks))
        self.keyboards: dict[str, Keyboard] = {}
        self.boxes: dict[str, sandbox.Sandbox] = {}

    def run(self) -> Outcome:
        """Test the lab; the sandbox is removed whatever happens."""
        started = time.monotonic()
        try:
            self._start()
            self._nothing_is_passed()
            for first in (True, False):
                if not self.outcome.faults:
                    self._type_all(first)
            if not self.outcome.faults:
                self._resume()
        except AgentError as error:
            self._fault(f"{error.reason}: {error}")
        finally:
            self._remove()
        self.outcome.seconds = time.monotonic() - started
        if self.outcome.seconds > self.lab.minutes * 60:
            self._fault(f"took {self.outcome.seconds:.0f} s, more than the lab's {self.lab.minutes} minutes")
        return self.outcome

    def _start(self) -> None:
        self.records.save(self.record)
        self.boxes = launch(self.settings, self.record.session_id, self.lab, lambda stage: None)
        machines = [*self.lab.terminals, *(name for name in self.lab.machines if name not in self.lab.terminals)]
        for number, machine in enumerate(machines):
            terminal = spawn.open_terminal(self.settings, self.boxes[machine], number, 24, 80)
            keyboard = Keyboard(spawn.adopt(terminal))
            if self.keyboards.setdefault(machine, keyboard) is keyboard:
                keyboard.wait_ready(0, LINE_SECONDS)

    def _nothing_is_passed(self) -> None:
        for task in self.lab.tasks:
            passed, text = self._ask(task)
            if passed:
                self._fault(f"{task.id}: passed before anything was typed ({text})")

    def _type_all(self, first: bool) -> None:
        found = Progress()
        steps = [step for step in self.lab.steps if any(block.step == step for block in self.lab.solutions)
                 or any(task.step == step for task in self.lab.tasks)]
        for step in steps:
            self._type_step(step)
            self._wait_passed(step, found, first)
            if first:
                self._later_steps_are_open(step)
            if self.outcome.faults:
                return  # what follows from a step that went wrong would only bury it

    def _type_step(self, step: str) -> None:
        for block in (block for block in self.lab.solutions if block.step == step):
            keyboard = self.keyboards[block.machine]
            if block.interrupt:
                keyboard.interrupt()
            for line in block.code.rstrip("\n").split("\n"):
                keyboard.type_line(line, LINE_SECONDS)

    def _wait_passed(self, step: str, found: Progress, first: bool) -> None:
        """Look until the step's tasks are passed, for as long as their checks may take and a margin."""
        tasks = [task for task in self.lab.tasks if task.step == step]
        started = time.monotonic()
        deadline = started + sum(task.check.timeout for task in tasks) + MARGIN_SECONDS
        while any(task.id not in found.passed for task in tasks) and time.monotonic() < deadline:
            for kind, payload in self.examiner.look(self.record.session_id, self.lab, found, after_command=True):
                if kind in ("task_broken", "exited"):
                    self._fault(f"{payload}: {kind} after {'typing' if first else 'typing again'} step {step!r}")
            for keyboard in self.keyboards.values():
                keyboard.read_for(LOOK_EVERY_SECONDS / len(self.keyboards))
        for task in tasks:
            self._tell(task, found, time.monotonic() - started, first)

    def _tell(self, task: Task, found: Progress, seconds: float, first: bool) -> None:
        run = "first" if first else "again"
        if task.id in found.passed:
            self.say(f"  passed  {run}  {task.step}/{task.id}  {seconds:.1f} s  {found.passed[task.id]}")
            return
        why = found.pending.get(task.id) or found.broken.get(task.id) or "its needs never passed"
        self._fault(f"{task.step}/{task.id} ({run}): not passed: {why}")
        for machine, keyboard in self.keyboards.items():
            self.say(f"  --- the screen of {machine} ---\n{keyboard.tail()}\n  ---")

    def _later_steps_are_open(self, step: str) -> None:
        later = self.lab.steps[self.lab.steps.index(step) + 1:]
        for task in self.lab.tasks:
            if task.step in later and self._ask(task)[0]:
                self._fault(f"{task.step}/{task.id}: passed already after step {step!r}")

    def _resume(self) -> None:
        """The set-up must not fail on the files that a student leaves."""
        for machine in self.lab.machines:
            sandbox.delete(self.settings, self.record.session_id, machine, keep_disk=True)
        self.boxes = launch(self.settings, self.record.session_id, self.lab, lambda stage: None, on_kept_files=True)

    def _ask(self, task: Task) -> tuple[bool, str]:
        started = time.monotonic()
        passed, text = self.examiner.ask(self.boxes[task.machine], task.check)
        if time.monotonic() - started > task.check.timeout:
            self._fault(f"{task.id}: {text}")
        return passed, text

    def _fault(self, text: str) -> None:
        self.outcome.faults.append(text)
        self.say(f"  FAULT   {text}")

    def _remove(self) -> None:
        for keyboard in self.keyboards.values():
            os.close(keyboard.master)
        for machine in self.lab.machines:
            sandbox.delete(self.settings, self.record.session_id, machine)
        self.records.remove(self.record.session_id, keep=False)


def main(settings: Settings, arguments: list[str]) -> int:
    """Test the named bundles (all that are published, if none is named); 1 if any is red."""
    parser = argparse.ArgumentParser(prog="python -m runtime_agent check-labs", description=__doc__.splitlines()[0])
    parser.add_argument("--content", type=Path, default=settings.content_dir, metavar="DIR",
                        help="where the bundles lie (default: the published ones)")
    parser.add_argument("digest", nargs="*", help="bundles to test, by digest (default: all in DIR)")
    options = parser.parse_args(arguments)
    namespace.enter(settings)
    settings = selftest.choose(settings)
    digests = options.digest or sorted(path.name for path in options.content.iterdir() if path.is_dir())
    outcomes = [_test(settings, options.content, digest) for digest in digests]
    print()
    for outcome in outcomes:
        verdict = "red" if outcome.faults else "green"
        print(f"{verdict:6} {outcome.seconds:7.1f} s  {outcome.tasks:3} tasks  {outcome.lesson}")
    return 1 if any(outcome.faults for outcome in outcomes) or not outcomes else 0


def _test(settings: Settings, content_dir: Path, digest: str) -> Outcome:
    try:
        lab = content.load_lab(content_dir, digest)
    except AgentError as error:
        print(f"FAULT   {digest}: {error}", file=sys.stderr)
        return Outcome(digest, faults=[str(error)])
    print(f"{lab.lesson} ({digest[:12]})", flush=True)
    return LabTest(settings, lab, say=lambda text: print(text, flush=True)).run()
