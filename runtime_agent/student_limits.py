"""A student moves the limits of their own sandbox, where the lab allows it and never beyond what the lab gave.

The kernel's answer comes back in the facts. What it does not grant (memory that is in use can't be taken away) is told
to the open panel; nothing is remembered, so a sandbox that is made anew has the lab's limits.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from runtime_agent import content, protocol, sandbox
from runtime_agent.cgroup import Group
from runtime_agent.errors import AgentError
from runtime_agent.lab import Machine
from runtime_agent.limits import Limits, impose
from runtime_agent.records import SITE, Records
from runtime_agent.settings import Settings
from runtime_agent.xray import cgroups

LEAST = Limits(memory_bytes=16 << 20, pids=16, cpus=0.05)
NAMES = {"memory_bytes": "memory", "cpus": "cpus", "pids": "pids"}
"""Field of Limits -> the word in lab.yaml."""
log = logging.getLogger(__name__)


class StudentLimits:
    """``tell`` gets (session id, sentence) for a wish that was not granted; ``hurry`` the id after one that was."""

    def __init__(self, settings: Settings, records: Records, tell: Callable[[str, str], None], hurry: Callable[[str], None],
                 find: Callable[..., Any] = sandbox.find, group: Callable[..., Group] = sandbox.group):
        self.settings, self.records, self.tell, self.hurry, self.find, self.group = settings, records, tell, hurry, find, group

    def change(self, session_id: Any, machine: Any, wishes: Any) -> None:
        """``wishes`` maps fields of Limits to numbers. Repeats safely. Raises ProtocolError for what is no session id."""
        session_id = protocol.check_session_id(session_id)
        record = self.records.find(session_id)
        if record is None or record.state != "ready" or record.owner != SITE or not isinstance(machine, str):
            return
        try:
            lab = content.load_lab(self.settings.content_dir, record.lab)
            if machine not in lab.machines or self.find(self.settings, session_id, machine) is None:
                return
            wanted = granted(wishes, lab.student_limits, lab.machines[machine])
            self._move(self.group(self.settings, session_id, machine), wanted)
        except (AgentError, OSError) as error:
            log.info("limit not moved session_id=%s: %s", session_id, error)
            self.tell(session_id, "The kernel did not grant that limit: more than that is in use. End something first."
                      if isinstance(error, OSError) else str(error))
            return
        self.hurry(session_id)

    def _move(self, group: Group, wanted: Mapping[str, float]) -> None:
        """The limits that are not named stay as they are now."""
        now = cgroups.collect(group)[0][0]
        current = Limits(now["memory"]["limit_bytes"], now["pids"]["limit"], now["cpu"]["limit_cpus"])
        impose(group, replace(current, **wanted))


def granted(wishes: Any, allowed: tuple[str, ...], machine: Machine) -> dict[str, float]:
    """The wishes, if each is one that the lab allows and lies between the least and what the lab gave."""
    if not isinstance(wishes, dict) or not wishes or not set(wishes) <= set(NAMES):
        raise AgentError("bad-message", "there is no such limit")
    for name, value in wishes.items():
        least, most = getattr(LEAST, name), getattr(machine, name)
        if NAMES[name] not in allowed:
            raise AgentError("bad-limit", f"This lab does not let you move the limit of {NAMES[name]}.")
        is_number = isinstance(value, int | float) if name == "cpus" else isinstance(value, int)
        if not is_number or isinstance(value, bool) or not least <= value <= most:
            raise AgentError("bad-limit", f"The limit of {NAMES[name]} can be moved between {least} and {most}.")
    return dict(wishes)
