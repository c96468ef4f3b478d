"""From click to prompt: `sudo ./lab bench start [--rounds N] [--quiet SECONDS] [--json FILE]`.

First the whole way: a student clicks on a site's page, and waits for the prompt at the terminal's socket, as ``student`` says.
Then the agent's part of it alone. Each round starts a sandbox from a spare, a cold one, and, where podman is installed, a container of the same root tree
with `podman run -it --network=none`, in random order, and waits for the shell's first prompt. Without podman the cold
start is the peer. What others do on this machine at the time hits all of them alike, so ratios are of the same round.
CPU is that of the agent and its children, of the conmons with the runtimes they run, and of the sandbox itself, its
shell included; what filling the pool costs is told apart. Then ``AT_ONCE`` are started together, three times, and one after a minute
of quiet, when the kernel's grace periods have to be paid by somebody. Takes three minutes, six with podman.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import resource
import shutil
import statistics
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
from tests.bench import podman_beside, table, whole_way
from tests.bench.podman_beside import Podman, wait_for
from tests.bench.student import PROMPT
from tests.bench.table import Row

ROUNDS, WARM_UP = 30, 2
AT_ONCE, ROUNDS_AT_ONCE, AFTER_QUIET = 20, 3, 2
SPARE_TARGET, COLD_TARGET = "<= 0.084", "<= 0.25"
"""Of podman's time to the prompt (sandbox.py asks the same)."""
SPEC = sandbox.Spec(spares.NOBODY, "box", "base", "standard", "root", "lab", 256 << 20, 256, 0.5, 64 << 20)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--quiet", type=float, default=60.0, help="seconds of quiet before the last starts")
    parser.add_argument("--json", type=Path, help="also write the rows here")
    options = parser.parse_args()
    with podman_beside.outside(root_tree()) as podman:
        found = whole_way.clicks(options.rounds, podman)
        with a_host() as host:
            found |= start_on(host, options.rounds, options.quiet, podman)
    show(found)
    return table.report(rows_of(found), options.json)


def root_tree() -> Path:
    """The installed image's, which the peer has too."""
    installed = settings.load(os.environ)
    if SPEC.image not in images.installed(installed):
        raise SystemExit(f"no {SPEC.image} image: sudo ./lab up builds it")
    return images.layers(installed, images.current(installed, SPEC.image))[0]


def start_on(host: Settings, rounds: int, quiet: float, podman: Podman | None) -> dict[str, list[float]]:
    """The agent's part: from a spare, cold, many together, and after a time of quiet."""
    bench = Bench(host)
    kinds = {"spare": lambda: bench.start(bench.pool.create), "cold": lambda: bench.start(sandbox.create)}
    if podman:
        kinds["podman"] = lambda: {"ms": podman(1)[0]}
    for number in range(-WARM_UP, rounds):
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
        time.sleep(quiet)
        bench.found.setdefault("after quiet ms", []).append(bench.start(bench.pool.create)["ms"])
    return bench.found


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


def show(found: dict[str, list[float]]) -> None:
    print(f"{'':28}{'median':>9}{'quartiles':>17}{'most':>9}")
    for name, values in sorted(found.items()):
        low, middle, high = statistics.quantiles(values, n=4)
        print(f"{name:28}{middle:9.1f}{low:9.1f}{high:8.1f}{max(values):9.1f}")
    print()


def rows_of(found: dict[str, list[float]]) -> list[Row]:
    """Against podman where it is installed; else nothing is asked of a time."""
    def row(metric: str, kind: str, peer: str, target: str) -> Row:
        ours, theirs = found[f"{kind} ms"], found.get(f"{peer} ms")
        if theirs is None:
            return Row(metric, "ms", statistics.median(ours))
        return Row(metric, "ms", statistics.median(ours), statistics.median(theirs), "podman", target,
                   spread=table.spread(ours, theirs))

    warm = statistics.median(found["spare ms"])
    return [row("click to prompt, the whole way, from a spare", "whole way", "podman beside it", SPARE_TARGET),
            row("click to prompt on the agent, from a spare", "spare", "podman", SPARE_TARGET),
            row("click to prompt on the agent, cold", "cold", "podman", COLD_TARGET),
            row(f"{AT_ONCE} together, all from spares: the last prompt", f"spare, last of {AT_ONCE}",
                f"podman, last of {AT_ONCE}", "<= 0.05"),
            Row("click to prompt after quiet / without", "", max(found["after quiet ms"]) / warm, bound="<= 3"),
            Row("CPU of a start, without its terminal", "ms", statistics.median(found["spare CPU of create"]), bound="<= 12"),
            Row("CPU from click to prompt", "ms", statistics.median(found["spare CPU"]), bound="<= 12")]


if __name__ == "__main__":
    sys.exit(main())
