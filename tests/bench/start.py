"""From click to prompt on the agent's side: `sudo ./lab bench start [--rounds N] [--quiet SECONDS] [--json FILE]`.

Each round starts a sandbox from a spare, a cold one, and, where podman is installed, a container of the same root tree
with `podman run -it --network=none`, in random order, and waits for the shell's first prompt. Without podman the cold
start is the peer. What others do on this machine at the time hits all of them alike, so ratios are of the same round.
CPU is that of the agent and its children, of the conmons with the runtimes they run, and of the sandbox itself, its
shell included; what filling the pool costs is told apart. Then ``AT_ONCE`` are started together, three times, and one after a minute
of quiet, when the kernel's grace periods have to be paid by somebody. Takes two minutes, four with podman.
"""

from __future__ import annotations

import argparse
import contextlib
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
from concurrent.futures import ThreadPoolExecutor
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
from runtime_agent.control import WORKER_THREADS
from runtime_agent.settings import Settings
from tests.bench import table
from tests.bench.table import Row

ROUNDS, WARM_UP = 30, 2
AT_ONCE, ROUNDS_AT_ONCE, AFTER_QUIET = 20, 3, 2
PROMPT = b"\x1b]133;B"
SPEC = sandbox.Spec(spares.NOBODY, "box", "base", "standard", "root", "lab", 256 << 20, 256, 0.5, 64 << 20)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--quiet", type=float, default=60.0, help="seconds of quiet before the last starts")
    parser.add_argument("--json", type=Path, help="also write the rows here")
    options = parser.parse_args()
    with podman_outside() as podman, a_host() as host:
        bench = Bench(host)
        kinds = {"spare": lambda: bench.start(bench.pool.create), "cold": lambda: bench.start(sandbox.create)}
        if podman:
            kinds["podman"] = lambda: {"ms": podman(1)[0]}
        for number in range(-WARM_UP, options.rounds):
            for kind in random.sample(list(kinds), len(kinds)):
                if kind == "spare":
                    bench.fill(1, is_counted=number >= 0)
                found = kinds[kind]()
                if number >= 0:
                    for name, value in found.items():
                        bench.found.setdefault(f"{kind} {name}", []).append(value)
        for _ in range(ROUNDS_AT_ONCE):
            bench.found.setdefault(f"spare, last of {AT_ONCE} ms", []).append(max(bench.start_together()))
            if podman:
                bench.found.setdefault(f"podman, last of {AT_ONCE} ms", []).append(max(podman(AT_ONCE)))
        for _ in range(AFTER_QUIET):
            bench.fill(1)
            time.sleep(options.quiet)
            bench.found.setdefault("after quiet ms", []).append(bench.start(bench.pool.create)["ms"])
        show(bench.found)
        return table.report(rows_of(bench.found), options.json)


@contextlib.contextmanager
def a_host() -> Iterator[Settings]:
    """An agent of our own in a folder of its own, with the images of the installed one."""
    installed = settings.load(os.environ)
    mark = f"bhbench-{os.getpid()}"
    with tempfile.TemporaryDirectory(prefix="bulkhead-bench-") as folder:
        host = settings.load({**os.environ, "BULKHEAD_STATE_DIR": folder, "BULKHEAD_RUN_DIR": f"/run/{mark}",
                              "BULKHEAD_CGROUP": mark, "BULKHEAD_SLOT_BASE": "29000",
                              "BULKHEAD_WARM": str(AT_ONCE)})
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
        self.pool = pool.Pool(host, Capacity(AT_ONCE + 2, lambda: []))

    def fill(self, count: int, is_counted: bool = False) -> None:
        """Have ``count`` spares and launchers ready, and nothing under way."""
        began = time.perf_counter()
        used = self.cpu_ms()
        self.pool.settings = replace(self.host, warm=count)
        self.pool.want(SPEC)
        while self.pool.step():
            pass
        launcher.stand_ready(self.host, count)
        if is_counted:
            self.found.setdefault("filling ms", []).append((time.perf_counter() - began) * 1000)
            self.found.setdefault("filling CPU", []).append(self.cpu_ms() - used)
        time.sleep(0.35)  # as between two clicks: the kernel's grace periods are over

    def start_together(self) -> list[float]:
        """Milliseconds from one moment to each of AT_ONCE prompts, with as many threads as the agent has."""
        self.fill(AT_ONCE)
        began = time.perf_counter()
        with ThreadPoolExecutor(WORKER_THREADS) as threads:
            starts = [threads.submit(self.start, self.pool.create, began=began, keep=True) for _ in range(AT_ONCE)]
            taken = [start.result()["ms"] for start in starts]
        for home in self.host.sandboxes_dir.glob("*/*/"):
            sandbox.delete(self.host, home.parent.name, home.name)
        return taken

    def start(self, create: Callable, spec: sandbox.Spec = SPEC, began: float = 0.0, keep: bool = False,
              ) -> dict[str, float]:
        """One sandbox to its first prompt and to its end; what it took in ms of time since ``began``, and of CPU."""
        wanted = replace(spec, session_id=str(uuid.uuid4()))
        used, began = self.cpu_ms(), began or time.perf_counter()
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
        if not keep:
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
def podman_outside() -> Iterator[Callable[[int], list[float]] | None]:
    """Starts as many containers together as are asked for, and says the milliseconds to each one's prompt. It is a process that
    stays in the host's mount namespace; None without a podman that works."""
    installed = settings.load(os.environ)
    tree = images.layers(installed, images.current(installed, SPEC.image))[0]
    command = podman_command(tree) if shutil.which("podman") else None
    if command is None:
        yield None
        return
    asked, ask = os.pipe()
    answered, answer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ask)
        while count := os.read(asked, 1):
            with ThreadPoolExecutor(count[0]) as threads:
                taken = [f"{ms:f}" for ms in threads.map(run_podman, [command] * count[0])]
            os.write(answer, " ".join(taken).encode())
        os._exit(0)
    os.close(asked)
    os.close(answer)

    def start(count: int) -> list[float]:
        os.write(ask, bytes([count]))
        return [float(ms) for ms in (os.read(answered, 4096) or sys.exit("podman did not bring a prompt")).split()]

    try:
        yield start
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def podman_command(tree: Path) -> list[str] | None:
    """With podman's own runtime, or with runc where that one does not start (crun refuses hybrid cgroups); None, and why
    is said, if neither does. Without limits named, podman wants more than a host without CAP_SYS_RESOURCE may give."""
    limits = ["--ulimit=nofile=1024:4096", "--ulimit=nproc=4096:8192"]
    for runtime in ([], ["--runtime=runc"]):
        command = ["podman", "run", "--rm", *runtime, *limits, "--network=none", "--env", r"PS1=\[\e]133;B\a\]$ "]
        tried = subprocess.run([*command, "--rootfs", f"{tree}:O", "/bin/true"], capture_output=True, text=True, timeout=60)
        if tried.returncode == 0:
            return [*command, "-it", "--rootfs", f"{tree}:O", "/bin/bash", "--norc", "-i"]
        print(f"{' '.join(command)}: {tried.stderr.strip()}", file=sys.stderr)
    return None


def run_podman(command: list[str]) -> float:
    """Milliseconds to the prompt of a shell in a new container, which is removed again."""
    master, slave = pty.openpty()
    began = time.perf_counter()
    child = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
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


def show(found: dict[str, list[float]]) -> None:
    print(f"{'':28}{'median':>9}{'quartiles':>17}{'most':>9}")
    for name, values in sorted(found.items()):
        low, middle, high = statistics.quantiles(values, n=4)
        print(f"{name:28}{middle:9.1f}{low:9.1f}{high:8.1f}{max(values):9.1f}")
    print()


def rows_of(found: dict[str, list[float]]) -> list[Row]:
    """Against podman where it is installed; without it a cold start of ours is the peer, and nothing is asked of the ratio."""
    peer = "podman" if "podman ms" in found else "cold"

    def row(metric: str, kind: str, target: str) -> Row:
        own, theirs = found[f"{kind} ms"], found[f"{peer} ms"]
        return Row(metric, "ms", statistics.median(own), statistics.median(theirs), peer,
                   target if peer == "podman" else "", spread=table.spread(own, theirs))

    warm = statistics.median(found["spare ms"])
    rows = [row("click to prompt, from a spare", "spare", "<= 0.084"), row("click to prompt, cold", "cold", "<= 0.25")]
    ours, theirs = (found.get(f"{kind}, last of {AT_ONCE} ms", []) for kind in ("spare", "podman"))
    at_once = f"{AT_ONCE} clicks at once, all with a spare: the last prompt"
    return [*(rows if peer == "podman" else rows[:1]),
            Row(at_once, "ms", statistics.median(ours), statistics.median(theirs), "podman", "<= 0.05",
                spread=table.spread(ours, theirs)) if theirs else Row(at_once, "ms", statistics.median(ours)),
            Row("click to prompt after quiet / without", "", max(found["after quiet ms"]) / warm, bound="<= 3"),
            Row("CPU of a start, without its terminal", "ms", statistics.median(found["spare CPU of create"]), bound="<= 12"),
            Row("CPU from click to prompt", "ms", statistics.median(found["spare CPU"]), bound="<= 12")]


if __name__ == "__main__":
    sys.exit(main())
