"""gVisor (runsc) in the place of crun, for labs that need nothing of the host's own kernel.

A sandbox of it is a process that plays the kernel to the student's programs: their system calls never reach the host's.
From outside there is that one process to see, so whatever asks the host's kernel about a sandbox (facts, networks of a
lab, web previews) has nothing to ask; such labs, and the nested profile, stay with crun or runc.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from runtime_agent.lab import Lab, Script
from runtime_agent.settings import Settings

RUNTIME = "runsc"


def suits(lab: Lab, machine: str) -> bool:
    """Whether nothing in ``lab`` needs more of ``machine`` than its programs and files."""
    looks_only_inside = all(isinstance(look, Script) for task in lab.tasks for look in (task.check, task.fail) if look)
    return (lab.machines[machine].profile == "standard" and looks_only_inside
            and not any(machine in network.machines for network in lab.networks)
            and not any(preview.machine == machine for preview in lab.previews))


def settings_for(settings: Settings, lab: Lab, machine: str) -> Settings:
    """With the runtime that this machine is made with."""
    if settings.standard_runtime and suits(lab, machine):
        return replace(settings, runtime=settings.standard_runtime)
    return settings


OPTIONS = ("--network=none", "--overlay2=none")
"""No network but a loopback of its own; files are written to the sandbox's disk, as with crun, and to nothing else. The
platform is the one that the release takes by itself: ptrace in Debian 12, systrap later."""


def state_of(directory: Path, name: str) -> list[Path]:
    """The files in which runsc remembers container ``name``."""
    return [*directory.glob(f"{name}_sandbox*"), *directory.glob(f"runsc-{name}.sock")]
