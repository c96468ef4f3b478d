"""What a sandbox costs: `sudo ./lab bench sandbox [ROUNDS] [--json FILE]`.

Each round brings to the first prompt and takes away again, in random order: a standard sandbox from a spare, a cold one, a
cold nested one and, where podman is installed, `podman run --rm` of the same root tree. Then some sandboxes with
an open shell rest beside each other, and what they hold is divided among them. 1 if a bound is missed.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from runtime_agent import cgroup, rootfs, sandbox, spawn
from runtime_agent.settings import Settings
from tests.bench import podman_beside, start, table

ROUNDS, WARM_UP, RESTING = 30, 2, 8
NESTED = replace(start.SPEC, profile="nested", memory_bytes=1 << 30, pids=512, cpus=1.0)
MIB = 1 << 20


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rounds", nargs="?", type=int, default=ROUNDS, help=f"default {ROUNDS}")
    parser.add_argument("--json", type=Path, help="also write the rows here")
    options = parser.parse_args()
    with podman_beside.outside(start.root_tree()) as podman, start.a_host() as host:
        bench, stages = start.Bench(host), Stages()
        kinds: dict[str, Callable[[], dict[str, float]]] = {
            "warm": lambda: bench.start(bench.pool.create), "cold": lambda: bench.start(stages.create),
            "nested": lambda: bench.start(sandbox.create, NESTED)}
        if podman:
            kinds["podman"] = lambda: {"ms": podman(1)[0]}
        found: dict[str, dict[str, list[float]]] = {kind: {} for kind in kinds}
        for number in range(-WARM_UP, options.rounds):
            for kind in random.sample(list(kinds), len(kinds)):
                if kind == "warm":
                    bench.fill(1, is_counted=number >= 0)
                measured = kinds[kind]()
                for name, value in measured.items() if number >= 0 else ():
                    found[kind].setdefault(name, []).append(value)
        resting = rest(host)
    show_costs(found, stages, resting)
    return table.report([*rows(found), table.Row("sandboxes at rest per GiB", "", 1024 / resting["memory"], bound=">= 1000")],
                        options.json)


class Stages:
    """Times of the stages of cold starts, in ms."""

    def __init__(self) -> None:
        self.found: dict[str, list[float]] = {}

    def create(self, host: Settings, spec: sandbox.Spec) -> sandbox.Sandbox:
        marks = [("lease", time.perf_counter())]
        box = sandbox.create(host, spec, lambda stage: marks.append((stage, time.perf_counter())))
        marks.append(("", time.perf_counter()))
        for (name, began), (_, ended) in zip(marks, marks[1:], strict=False):
            self.found.setdefault(name, []).append((ended - began) * 1000)
        return box


def rest(host: Settings) -> dict[str, float]:
    """MiB of memory (its own and its conmons') and of disk that one sandbox with an open shell holds."""
    before, boxes = memory_bytes(host), []
    for _ in range(RESTING):
        box = sandbox.create(host, replace(start.SPEC, session_id=str(uuid.uuid4())))
        master = spawn.adopt(spawn.open_terminal(host, box, 0, 24, 80))
        start.wait_for(master, start.PROMPT)
        boxes.append((box, master))
    memory = memory_bytes(host) - before
    disk = sum(rootfs.disk_path(host, box.spec.name).stat().st_blocks * 512 for box, _ in boxes)
    for box, master in boxes:
        os.close(master)
        sandbox.delete(host, box.session_id, box.machine)
    return {"memory": memory / RESTING / MIB, "disk": disk / RESTING / MIB}


def memory_bytes(host: Settings) -> int:
    group = cgroup.Group(host.cgroup)
    file = group.file("memory", "memory.usage_in_bytes" if group.version == 1 else "memory.current")
    return int(file.read_text()) if file.exists() else 0


def show_costs(found: dict[str, dict[str, list[float]]], stages: Stages, resting: dict[str, float]) -> None:
    print(f"{'ms':24}{'median':>9}{'p95':>9}")
    for kind, columns in found.items():
        for name, label in (("ms", "to the prompt"), ("create", "create"), ("destroy", "destroy")):
            if values := columns.get(name):
                print(f"{kind + ': ' + label:24}{statistics.median(values):9.1f}{table.percentile(values, 0.95):9.1f}")
    for name, values in stages.found.items():
        print(f"{'cold: stage ' + name:24}{statistics.median(values):9.1f}{table.percentile(values, 0.95):9.1f}")
    print(f"\none sandbox with an open shell at rest: {resting['memory']:.1f} MiB of memory, {resting['disk']:.1f} MiB of disk\n")


def rows(found: dict[str, dict[str, list[float]]]) -> list[table.Row]:
    def middle(kind: str) -> float:
        return statistics.median(found[kind]["ms"])

    told = [table.Row("nested to the prompt", "ms", middle("nested"), middle("cold"), "cold standard", "<= 2")]
    if "podman" not in found:
        print("no podman that works: nothing to compare with beside our own (apt-get install podman)")
        return told
    return [table.Row("cold to the prompt", "ms", middle("cold"), middle("podman"), "podman run --rm", start.COLD_TARGET),
            table.Row("warm to the prompt", "ms", middle("warm"), middle("podman"), "podman run --rm", start.SPARE_TARGET), *told]


if __name__ == "__main__":
    sys.exit(main())
