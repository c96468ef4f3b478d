"""What amicontained and deepce say of a sandbox, where the operator has put them on PATH. Neither is ours.

amicontained prints the bounding set and the seccomp mode: they must be those of the profile. deepce lists ways out;
a privileged mode or an engine's socket that it finds is one.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

from runtime_agent import profiles, sandbox, spawn
from runtime_agent.settings import Settings

TOOL_SECONDS = 60.0
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def installed() -> dict[str, Path]:
    """tool -> where it is, for those that are on PATH."""
    found = {name: shutil.which(name) or shutil.which(f"{name}.sh") for name in READERS}
    return {name: Path(path) for name, path in found.items() if path}


def absence() -> str:
    """The line that says which of the tools could not be asked; empty if all could."""
    absent = [name for name in READERS if name not in installed()]
    return f"\nNot on PATH, so not compared: {', '.join(absent)}" if absent else ""


def compare(settings: Settings, box: sandbox.Sandbox) -> list[str]:
    """Run what is there inside ``box``; return what it found that should not be so."""
    return [f"{name}: {fault}" for name, tool in installed().items()
            for fault in READERS[name](_run(settings, box, tool), box)]


def _run(settings: Settings, box: sandbox.Sandbox, tool: Path) -> str:
    line = "cat >/tmp/tool && chmod 755 /tmp/tool && exec /tmp/tool </dev/null 2>&1"
    result = spawn.run(settings, box, ["/bin/sh", "-c", line], "root", TOOL_SECONDS, stdin=tool.read_bytes())
    return COLOUR.sub("", result.output)


def read_amicontained(output: str, box: sandbox.Sandbox) -> list[str]:
    wanted = {name.removeprefix("CAP_").lower() for name in profiles.find(box.spec.profile).capabilities}
    bounding = re.search(r"BOUNDING -> (.*)", output)
    faults = []
    if not bounding or set(bounding[1].split()) != wanted:
        faults.append(f"bounding set {bounding[1].strip() if bounding else 'not printed'}, not {' '.join(sorted(wanted))}")
    if "Seccomp: filtering" not in output:
        faults.append("it does not see a seccomp filter")
    return faults


def read_deepce(output: str, box: sandbox.Sandbox) -> list[str]:
    found = re.findall(r"^.*(?:Privileged Mode|Docker Sock(?:et)? mounted|Sock mounted).*\bYes\b.*$", output, re.MULTILINE)
    return [line.strip() for line in found] if "DEEPCE" in output.upper() or found else ["it printed nothing to read"]


READERS: dict[str, Callable[[str, sandbox.Sandbox], list[str]]] = {
    "amicontained": read_amicontained, "deepce": read_deepce}
