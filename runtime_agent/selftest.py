"""Does this host hold a sandbox as it is meant to be held? One is made and asked, from inside and from outside.

``choose`` settles ``BULKHEAD_RUNTIME=auto``: crun if a sandbox of it passes, else runc. The outcome is kept for as
long as kernel, runtime and image stay the same, so that a restarted agent serves at once.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from runtime_agent import conmon, gvisor, images, profiles, sandbox, slots, spawn
from runtime_agent.errors import AgentError
from runtime_agent.records import Record, Records
from runtime_agent.settings import RUNTIMES, Settings

IMAGE = "base"
MEMORY_BYTES, PIDS, CPUS, DISK_BYTES = 256 << 20, 256, 0.5, 64 << 20
ASK = r"""
status() { busybox sed -n "s/^$1:[[:space:]]*//p" /proc/self/status; }
echo "user=$(id -u)"
echo "mapped=$(busybox awk '{print $2}' /proc/self/uid_map)"
echo "seccomp=$(status Seccomp)"
echo "no_new_privs=$(status NoNewPrivs)"
echo "capabilities=$(status CapBnd)"
echo "links=$(busybox ls /sys/class/net | busybox tr '\n' ' ')"
echo "first=$(busybox tr '\0' ' ' </proc/1/cmdline)"
echo "writes=$(echo x >/root/.selftest && cat /root/.selftest)"
echo "lists=$(/bin/ls / >/dev/null && echo yes)"
echo "nodes=$(busybox ls /dev | busybox tr '\n' ' ')"
"""
BITS = {name: bit for bit, name in enumerate(
    "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE "
    "NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN "
    "SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP".split())}
"""capability(7): the numbers of include/uapi/linux/capability.h up to CAP_SETFCAP, 31."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """``faults`` in words for the operator; none means that sandboxes hold."""

    runtime: str
    faults: tuple[str, ...]
    milliseconds: int

    @property
    def holds(self) -> bool:
        return not self.faults


def choose(settings: Settings) -> Settings:
    """``settings`` with a runtime of this host. An explicit one is taken at its word.

    Raises AgentError("start-failed") with every fault if no runtime holds. Call it in the agent's namespace.
    """
    if settings.runtime != "auto":
        return settings
    outcomes = []
    for runtime in RUNTIMES:
        outcome = remembered(replace(settings, runtime=runtime))
        if outcome.holds:
            log.info("runtime=%s chosen by self-test", runtime)
            return replace(settings, runtime=runtime)
        log.warning("runtime=%s does not hold: %s", runtime, "; ".join(outcome.faults))
        outcomes.append(f"{runtime}: {'; '.join(outcome.faults)}")
    raise AgentError("start-failed", f"no runtime holds a sandbox here. {' | '.join(outcomes)}")


def choose_standard(settings: Settings) -> Settings:
    """``settings`` without gVisor, if a sandbox of it does not hold here: its labs then run as all others do."""
    if settings.standard_runtime:
        outcome = remembered(replace(settings, runtime=settings.standard_runtime))
        if not outcome.holds:
            log.error("BULKHEAD_STANDARD_RUNTIME=%s does not hold and is not used: %s", outcome.runtime,
                      "; ".join(outcome.faults))
            return replace(settings, standard_runtime="")
    return settings


def remembered(settings: Settings) -> Outcome:
    """The outcome of the last test if nothing has changed since; only what held is remembered."""
    file, key = settings.agent_dir / "selftest" / f"{settings.runtime}.json", _key(settings)
    try:
        found = json.loads(file.read_text())
        if found["key"] == key:
            return Outcome(settings.runtime, (), found["milliseconds"])
    except (OSError, ValueError, KeyError):
        pass
    outcome = test(settings)
    if outcome.holds:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"key": key, **asdict(outcome)}))
    return outcome


def _key(settings: Settings) -> list[str]:
    """What the outcome depends on: kernel and boot, the runtime's own file, the image."""
    try:
        program = os.stat(conmon.runtime_path(settings))
        version = images.current(settings, IMAGE)
    except AgentError as error:
        return [str(error), uuid.uuid4().hex]
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return [os.uname().release, boot, str(program.st_ino), str(program.st_mtime_ns), version]


def test(settings: Settings) -> Outcome:
    """Make one sandbox of the standard profile with ``settings.runtime``, ask it, and remove it."""
    began = time.monotonic()
    try:
        with _sandbox(settings) as box:
            result = spawn.run(settings, box, ["/.bulkhead/bin/busybox", "sh"], "root", 10, stdin=ASK,
                               env={"PATH": "/.bulkhead/bin:/usr/bin:/bin"})
            is_gvisor = settings.runtime == gvisor.RUNTIME
            faults = [*judge(result.output, is_gvisor), *_seen_from_outside(settings, box, is_gvisor)]
    except (AgentError, OSError, subprocess.SubprocessError) as error:
        faults = [str(error)]
    return Outcome(settings.runtime, tuple(faults), round((time.monotonic() - began) * 1000))


@contextmanager
def _sandbox(settings: Settings) -> Iterator[sandbox.Sandbox]:
    """A record says whose it is, so that a running agent's reaper lets it be while we live."""
    records, session_id = Records(settings.agent_dir), str(uuid.uuid4())
    records.save(Record(session_id, 0, "selftest", owner=f"selftest:{os.getpid()}", accepted_at=time.time()))
    spec = sandbox.Spec(session_id, "box", IMAGE, "standard", "root", "lab", MEMORY_BYTES, PIDS, CPUS, DISK_BYTES)
    try:
        yield sandbox.create(settings, spec)
    finally:
        sandbox.delete(settings, session_id, "box")
        records.remove(session_id, keep=False)


def judge(output: str, is_gvisor: bool = False) -> list[str]:
    """The faults in what a sandbox answered to ASK, one ``name=value`` a line. gVisor plays a kernel of its own, which
    filters nothing and maps all ids onto themselves: what holds its process is looked at from outside."""
    said = dict(line.split("=", 1) for line in output.splitlines() if "=" in line)
    allowed = sum(1 << BITS[name] for name in profiles.STANDARD_CAPABILITIES)
    wanted = {
        "user": ("0", "its root is not user 0 inside"),
        "seccomp": ("2", "system calls are not filtered"),
        "no_new_privs": ("1", "programs may gain privileges"),
        "capabilities": (f"{allowed:016x}", "it has other capabilities than the profile"),
        "links": ("lo ", "it sees other network interfaces than its loopback"),
        "writes": ("x", "its disk can't be written"),
        "lists": ("yes", "the image's own programs do not work in it"),
    }
    if is_gvisor:
        wanted = {name: wanted[name] for name in ("user", "capabilities", "writes", "lists")}
    faults = [f"{sentence} ({name}: {said.get(name, 'no answer')})"
              for name, (value, sentence) in wanted.items() if said.get(name) != value]
    if not is_gvisor and (not said.get("mapped", "").isdigit() or int(said["mapped"]) == 0):
        faults.append(f"its root is the host's root (uid_map: {said.get('mapped', 'no answer')})")
    if not said.get("first", "").startswith("/.bulkhead/bin/init"):
        faults.append(f"its first process is not our init ({said.get('first', 'no answer')})")
    forbidden = {"kvm", "sda", "vda", "mem", "kmsg", "loop-control", *([] if is_gvisor else ["fuse"])}
    if extra := set(said.get("nodes", "").split()) & forbidden:
        faults.append(f"it has devices of the host: {' '.join(sorted(extra))}")
    return faults


def _seen_from_outside(settings: Settings, box: sandbox.Sandbox, is_gvisor: bool) -> list[str]:
    """What the sandbox can't know of itself."""
    faults = []
    control = sandbox.group(settings, box.session_id, box.machine)
    if box.init_pid not in control.pids():
        faults.append("it is not in the control group that limits it")
    if is_gvisor:
        faults += _faults_of_sentry(box.init_pid)
    for kind in ("net", "mnt", "uts", "ipc", "user", *(() if is_gvisor else ("pid", "cgroup"))):
        if os.readlink(f"/proc/{box.init_pid}/ns/{kind}") == os.readlink(f"/proc/self/ns/{kind}"):
            faults.append(f"it shares the host's {kind} namespace")
    return faults


def _faults_of_sentry(pid: int) -> list[str]:
    """The process that plays the kernel: it alone could ever turn against the host's."""
    said = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)
    faults = []
    if int(said["Uid"].split()[0]) < slots.FIRST_ID:
        faults.append(f"gVisor runs as the host's user {said['Uid'].split()[0]}")
    if (said.get("Seccomp"), said.get("NoNewPrivs")) != ("2", "1"):
        faults.append("gVisor's own system calls are not filtered, or it may gain privileges")
    return faults
