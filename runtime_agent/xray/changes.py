"""Looking at tasks when processes come or go: a shell in a new namespace ends no command and gives no mark.

Only sessions with an open task that asks the facts are watched, because only such a look costs little and starts no
process that would be a change itself.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from runtime_agent import sandbox
from runtime_agent.checks import DEBOUNCE_SECONDS, Checker
from runtime_agent.settings import Settings
from runtime_agent.xray import cgroups

PERIOD_SECONDS = 1.0


class Changes:
    """Remembers the processes of each session from round to round."""

    def __init__(self, settings: Settings, checker: Checker, group: Callable[..., Any] = sandbox.group,
                 on_change: Callable[[str], None] = lambda session_id: None):
        self.settings, self.checker, self.group, self.on_change = settings, checker, group, on_change
        self.seen: dict[str, frozenset[int]] = {}

    def watch(self, stopped: threading.Event) -> None:
        """Thread body."""
        while not stopped.wait(PERIOD_SECONDS):
            self.look_around()

    def look_around(self) -> None:
        asking = set(self.checker.asking)
        for session_id in self.seen.keys() - asking:
            del self.seen[session_id]
        for session_id in asking:
            pids = frozenset(pid for machine in self.checker.records.made(session_id) for pid in cgroups.pids(
                self.group(self.settings, session_id, machine)))
            if not pids:
                self.checker.asking.discard(session_id)
            elif pids != self.seen.get(session_id, pids):
                self.checker.schedule.ask_for(session_id, DEBOUNCE_SECONDS)
                self.on_change(session_id)
            self.seen[session_id] = pids
