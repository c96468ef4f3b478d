"""One look at a whole session in the form of the wire, for panels and for the history."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runtime_agent import sandbox, xray
from runtime_agent.records import Records
from runtime_agent.settings import Settings
from runtime_agent.xray import patch

SLOW_PARTS = frozenset({"layers", "changes", "networks", "mounts"})
"""What changes seldom and costs more to look at."""


def boxes(settings: Settings, records: Records, session_id: str, find: Callable[..., Any]) -> dict[str, Any]:
    """The living machines of a session by name."""
    found = {name: find(settings, session_id, name) for name in records.made(session_id)}
    return {name: box for name, box in found.items() if box is not None}


def group_of(box: Any) -> Any:
    return sandbox.group(box.settings, box.session_id, box.machine)


def look(found: dict[str, Any], known: dict[str, Any], is_whole: bool, collect: Callable[..., Any]) -> dict[str, Any]:
    """The machines' facts; the slow parts are those of the ``known`` machines unless ``is_whole``."""
    machines = {}
    for name, box in found.items():
        slow = SLOW_PARTS if is_whole or name not in known else frozenset()
        if facts := collect(box, xray.PARTS - SLOW_PARTS | slow):
            machines[name] = {**known.get(name, {}), **patch.to_wire(facts)}
    return machines
