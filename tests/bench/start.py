"""From click to prompt on the agent's side: `sudo ./lab bench start [ROUNDS]`.

Each round starts a sandbox from a spare, a cold one, and, where podman is installed, a container of the same root tree
with `podman run -it --network=none`, in random order, and waits for the shell's first prompt. Without podman the cold
start is the peer. What others do on this machine at the time hits all of them alike, so ratios are of the same round.
CPU is that of the agent and its children, of the conmons with the runtimes they run, and of the sandbox itself, its
shell included; what filling the pool costs is told apart. Prints a table, and the same as JSON.
"""

from __future__ import annotations

import contextlib
import json
import os
import pty
import random
import resource
import select
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from runtime_agent import (
    cgroup,
    images,
    launcher,
    namespace,
    pool,
    sandbox,
    settings,
    spares,
    spawn,
    teardown,
)
from runtime_agent.capacity import Capacity
from runtime_agent.settings import Settings

ROUNDS, WARM_UP = 30, 2
TARGET_MS, TARGET_CPU_MS = 25.0, 12.0
PROMPT = b"\x1b]133;B"
SPEC = sandbox.Spec(spares.NOBODY, "box", "base", "standard", "root", "lab", 256 << 20, 256, 0.5, 64 << 20)


def main() -> int:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    with podman_outside() as podman, a_host() as host:
        bench = Bench(host)
        kinds = {"spare": lambda: bench.start(bench.pool.create), "cold": lambda: bench.start(sandbox.create)}
        if podman:
            kinds["podman"] = podman
        for number in range(-WARM_UP, rounds):
            for kind in random.sample(list(kinds), len(kinds)):
                if kind == "spare":
                    bench.fill(number)
                found = kinds[kind]()
                if number >= 0:
                    for name, value in found.items():
                        bench.found.setdefault(f"{kind} {name}", []).append(value)
        report(bench.found, "podman" if podman else "cold")
    return 0


@contextlib.contextmanager
def a_host() -> Iterator[Settings]:
    """An agent of our own in a folder of its own, with the images of the installed one."""
    installed = settings.load(os.environ)
    mark = f"bhbench-{os.getpid()}"
    with tempfile.TemporaryDirectory(prefix="bulkhead-bench-") as folder:
        host = settings.load({**os.environ, "BULKHEAD_STATE_DIR": folder, "BULKHEAD_RUN_DIR": f"/run/{mark}",
                              "BULKHEAD_CGROUP": mark, "BULKHEAD_SLOT_BASE": "29000", "BULKHEAD_WARM": "1"})
        host.agent_dir.mkdir()
        (host.agent_dir / "images").symlink_to(installed.images_dir)
        if "base" not in images.installed(host):
            raise SystemExit("no base image: sudo ./lab up builds it")
        namespace.enter(host)
        try:
            yield host
        finally:
            for home in host.sandboxes_dir.glob("*/*/"):
                sandbox.delete(host, home.parent.name, home.name)
            for spare in spares.unclaimed(host):
                teardown.discard_spare(host, spare.name)
            cgroup.Group(mark).remove()
            shutil.rmtree(host.run_dir, ignore_errors=True)


class Bench:
    """Starts sandboxes and adds up what they cost."""

    def __init__(self, host: Settings):
        self.host, self.found = host, {}
        self.pool = pool.Pool(host, Capacity(8, lambda: []))
        self.pool.want(SPEC)

    def fill(self, number: int) -> None:
        began = time.perf_counter()
        used = self.cpu_ms()
        while self.pool.step():
            pass
        launcher.stand_ready(self.host, 1)
        if number >= 0:
            self.found.setdefault("filling ms", []).append((time.perf_counter() - began) * 1000)
            self.found.setdefault("filling CPU", []).append(self.cpu_ms() - used)
        time.sleep(0.3)  # as between two clicks: the kernel's grace periods are over

    def start(self, create: Callable, spec: sandbox.Spec = SPEC) -> dict[str, float]:
        """One sandbox to its first prompt and to its end; what it took in ms of time and CPU."""
        wanted = replace(spec, session_id=str(uuid.uuid4()))
        used, began = self.cpu_ms(), time.perf_counter()
        box = create(self.host, wanted)
        created, started = time.perf_counter(), self.cpu_ms() - used
        terminal = spawn.open_terminal(self.host, box, 0, 24, 80)
        opened = time.perf_counter()
        master = spawn.adopt(terminal)
        wait_for(master, PROMPT)
        ended = time.perf_counter()
        os.close(master)
        used = self.cpu_ms() - used
        leaving = time.perf_counter()
        sandbox.delete(self.host, wanted.session_id, "box")
        gone = time.perf_counter()
        return {"ms": (ended - began) * 1000, "create": (created - began) * 1000, "terminal": (opened - created) * 1000,
                "prompt": (ended - opened) * 1000, "CPU": used, "CPU of create": started, "destroy": (gone - leaving) * 1000}

    def cpu_ms(self) -> float:
        """Ours, that of children we have waited for, and of every group of this host's."""
        ours = sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        return ours * 1000 + group_cpu_ms(self.host.cgroup)


def group_cpu_ms(name: str) -> float:
    group = cgroup.Group(name)
    if group.version == 1:
        file = group.file("cpuacct", "cpuacct.usage")
        return int(file.read_text()) / 1e6 if file.exists() else 0.0
    file = group.file("cpu", "cpu.stat")
    return int(file.read_text().split()[1]) / 1e3 if file.exists() else 0.0


@contextlib.contextmanager
def podman_outside() -> Iterator[Callable[[], dict[str, float]] | None]:
    """A process that stays in the host's mount namespace and starts podman when asked; None without podman."""
    if shutil.which("podman") is None:
        yield None
        return
    installed = settings.load(os.environ)
    tree = images.layers(installed, images.current(installed, SPEC.image))[0]
    asked, ask = os.pipe()
    answered, answer = os.pipe()
    child = os.fork()
    if child == 0:
        while os.read(asked, 1):
            os.write(answer, f"{run_podman(tree):f}\n".encode())
        os._exit(0)

    def start() -> dict[str, float]:
        os.write(ask, b"!")
        return {"ms": float(os.read(answered, 64))}

    try:
        yield start
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def run_podman(tree: Path) -> float:
    """Milliseconds to the prompt of a shell in a new container over ``tree``; the container is removed."""
    master, slave = pty.openpty()
    began = time.perf_counter()
    child = subprocess.Popen(
        ["podman", "run", "-it", "--rm", "--network=none", "--env", r"PS1=\[\e]133;B\a\]$ ", "--rootfs", f"{tree}:O",
         "/bin/bash", "--norc", "-i"], stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
    os.close(slave)
    try:
        wait_for(master, PROMPT)
        return (time.perf_counter() - began) * 1000
    finally:
        os.write(master, b"exit\r")
        child.wait(30)
        os.close(master)


def wait_for(master: int, what: bytes) -> None:
    seen = b""
    while what not in seen:
        if not select.select([master], [], [], 20)[0]:
            raise SystemExit(f"no prompt within 20 s; seen: {seen!r}")
        seen += os.read(master, 4096)


def report(found: dict[str, list[float]], peer: str) -> None:
    print(f"{'':28}{'median':>9}{'quartiles':>17}{'most':>9}")
    for name, values in sorted(found.items()):
        low, middle, high = statistics.quantiles(values, n=4)
        print(f"{name:28}{middle:9.1f}{low:9.1f}{high:8.1f}{max(values):9.1f}")
    rows = [row("click to prompt, ms", found["spare ms"], found[f"{peer} ms"], TARGET_MS),
            row("CPU of a start, ms", found["spare CPU of create"], found["cold CPU of create"], TARGET_CPU_MS),
            row("CPU click to prompt, ms", found["spare CPU"], found["cold CPU"], TARGET_CPU_MS)]
    print(f"\npeer: {peer} start, for CPU always a cold start of ours; ratio = peer / ours in the same round, with its"
          " quartiles")
    for line in rows:
        low, high = line["ratio_quartiles"]
        print(f"{line['metric']:28}{line['ours']:9.1f}{line['peer']:9.1f}   ratio {line['ratio']:.1f} "
              f"({low:.1f} to {high:.1f})   target {line['target']:g}: {'holds' if line['holds'] else 'MISSED'}")
    print(json.dumps(rows))


def row(metric: str, ours: list[float], peer: list[float], target: float) -> dict[str, object]:
    ratios = statistics.quantiles([theirs / own for own, theirs in zip(ours, peer, strict=True)], n=4)
    middle = statistics.median(ours)
    return {"metric": metric, "ours": round(middle, 1), "peer": round(statistics.median(peer), 1),
            "ratio": round(ratios[1], 2), "ratio_quartiles": [round(ratios[0], 2), round(ratios[2], 2)],
            "target": target, "holds": middle <= target}


if __name__ == "__main__":
    sys.exit(main())
