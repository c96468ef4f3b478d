"""What has been found out about the tasks of one session, kept in a file so that a restart forgets nothing.

Every ``note_*`` function returns whether the finding is news: an event is emitted for news only.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

from runtime_agent.lab import Lab, Task


@dataclass
class Progress:
    """``passed`` maps task id -> what the check saw, ``pending`` and ``broken`` -> why."""

    passed: dict[str, str] = field(default_factory=dict)
    pending: dict[str, str] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)
    oom_kills: dict[str, int] = field(default_factory=dict)
    tried: list[str] = field(default_factory=list)
    """Tasks that were open when a command ended: only of those is "not yet" said."""
    closed: dict[str, int] = field(default_factory=dict)
    """Terminal number -> the pid of its dead conmon: a terminal opened again under the number is another one."""

    def note_passed(self, task_id: str, saw: str) -> bool:
        """Passed is final: a student who later undoes the work has still done it."""
        if task_id in self.passed:
            return False
        self.passed[task_id] = saw
        self.pending.pop(task_id, None)
        self.broken.pop(task_id, None)
        return True

    def note_pending(self, task_id: str, why: str) -> bool:
        is_news = self.pending.get(task_id) != why or task_id in self.broken
        self.pending[task_id] = why
        self.broken.pop(task_id, None)
        return is_news

    def note_broken(self, task_id: str, why: str) -> bool:
        is_news = self.broken.get(task_id) != why
        self.broken[task_id] = why
        self.pending.pop(task_id, None)
        return is_news

    def note_tried(self, tasks: list[Task]) -> None:
        self.tried += [task.id for task in tasks if task.id not in self.tried]

    def note_oom_kills(self, machine: str, kills: int) -> bool:
        is_news = kills > self.oom_kills.get(machine, 0)
        self.oom_kills[machine] = kills
        return is_news

    def note_closed(self, number: str, conmon_pid: int) -> bool:
        is_news = self.closed.get(number) != conmon_pid
        self.closed[number] = conmon_pid
        return is_news

    def go_back(self, lab: Lab, step: str) -> None:
        """Forget what was found out about ``step`` and later ones, and all that was true of the sandbox before."""
        earlier = set(lab.steps[:lab.steps.index(step)])
        self.passed = {task.id: self.passed[task.id] for task in lab.tasks
                       if task.step in earlier and task.id in self.passed}
        self.pending, self.broken, self.tried, self.oom_kills, self.closed = {}, {}, [], {}, {}

    def open_step(self, lab: Lab) -> str | None:
        """The first step that has a task not passed; None when all is done."""
        steps = {task.step for task in lab.tasks if task.id not in self.passed}
        return next((step for step in lab.steps if step in steps), None)

    def due(self, lab: Lab) -> list[Task]:
        """Tasks of the open step that are not passed and whose needs are."""
        step = self.open_step(lab)
        return [task for task in lab.tasks if task.step == step and task.id not in self.passed
                and all(need in self.passed for need in task.needs)]


def load(path: Path) -> Progress:
    """Read a progress file; one that is not there, or that a power cut tore, is an empty progress."""
    try:
        return Progress(**json.loads(path.read_text()))
    except (FileNotFoundError, ValueError):
        return Progress()


def save(path: Path, progress: Progress) -> None:
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps(asdict(progress)))
    os.replace(temporary, path)
