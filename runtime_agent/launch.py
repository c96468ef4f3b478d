"""From a lab to its running sandboxes: one per machine, set up and ready for a shell.

``launch`` is the one way in for students (``sessions``) and for lab tests (``labtest``). Whoever calls removes what was made
when this raises; ``sandbox.delete`` from the id alone is enough.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from runtime_agent import addresses, gvisor, protocol, sandbox, spawn
from runtime_agent.errors import AgentError
from runtime_agent.lab import Lab
from runtime_agent.settings import Settings

SETUP_TIMEOUT_SECONDS = 60


def launch(settings: Settings, session_id: str, lab: Lab, announce: Callable[[str], None], *, on_kept_files: bool = False,
           machinery: ModuleType | Any = sandbox, terminals: ModuleType | Any = spawn) -> dict[str, Any]:
    """Create every machine of ``lab`` and run its set-up; return the sandboxes by name.

    With ``on_kept_files`` the disks hold a student's work, and a machine that has a ``resume`` script gets that one.
    ``announce`` gets each of protocol.STAGES from "disk" to "setup" as it begins, once. What was a spare is set up already.
    Raises AgentError: what ``sandbox.create`` raises, or "setup-failed".
    """
    announced: set[str] = set()

    def announce_once(stage: str) -> None:
        if stage not in announced:
            announced.add(stage)
            announce(stage)

    boxes = {name: machinery.create(gvisor.settings_for(settings, lab, name), spec_of(session_id, lab, name), announce_once)
             for name in lab.machines}
    scripts = {**lab.setup, **lab.resume} if on_kept_files else lab.setup
    for name, path in scripts.items():
        if not boxes[name].state.get("is_set_up"):
            announce_once("setup")
            set_up(settings, boxes[name], lab.directory / path, terminals)
    return boxes


def spec_of(session_id: str, lab: Lab, name: str) -> sandbox.Spec:
    """What ``sandbox`` must know of one machine."""
    machine = lab.machines[name]
    return sandbox.Spec(
        session_id=session_id, machine=name, image=machine.image, profile=machine.profile, user=machine.user,
        hostname=machine.hostname, memory_bytes=machine.memory_bytes, pids=machine.pids, cpus=machine.cpus,
        disk_bytes=machine.disk_bytes, checks_dir=lab.directory / "checks", lab_files={}, allow=machine.allow,
        setup=lab.directory / lab.setup[name] if name in lab.setup else None,
        interfaces=addresses.interfaces_of(lab.networks, name),
        hosts=addresses.hosts_of(lab.networks, lab.machines, name))


def set_up(settings: Settings, box: Any, script: Path, terminals: ModuleType | Any = spawn) -> None:
    """Run a lab's script by the image's own shell, as root of the sandbox. Raises AgentError("setup-failed").

    On kept files a student may have broken that shell; then starting over is what is left."""
    result = terminals.run(settings, box, ["/bin/sh", "-eu"], "root", SETUP_TIMEOUT_SECONDS, stdin=script.read_bytes())
    if result.timed_out or result.status != 0:
        raise AgentError("setup-failed", f"{script.name}: status {result.status}, {last_line(result.output)}")


def last_line(output: str) -> str:
    """The last line that a script printed, fit to be shown: no control characters, bounded."""
    lines = output.strip().splitlines()
    text = "".join(character for character in (lines[-1] if lines else "") if character.isprintable())
    return text[:protocol.MAX_TEXT_CHARS]
