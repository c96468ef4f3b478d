"""What one look at a sandbox costs: `sudo ./lab bench xray`.

A real sandbox with 50 processes, some of them in namespaces of their own, is looked at by the collector and, beside
it, by the tools that a person would type for less (ps, lsns, ip in each network namespace). Printed are medians of the
CPU time, children included, and their ratio: the machine cancels out.
"""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from runtime_agent import cgroup, images, namespace, sandbox, settings, spawn, xray

PROCESSES, ROUNDS = 50, 40
CROWD = """exec >/dev/null 2>&1 </dev/null
for number in 1 2 3; do setsid unshare --uts --pid --fork --mount-proc sleep 600 & done
ip netns add red; ip link add v0 type veth peer name v1 netns red
while [ $(ls -d /proc/[0-9]* | wc -l) -lt WANTED ]; do setsid sleep 600 & done; sleep 0.3""".replace("WANTED", str(PROCESSES + 2))


def main() -> int:
    with agent() as chosen:
        box = sandbox.create(chosen, specification())
        try:
            spawn.run(chosen, box, ["/bin/bash", "-c", CROWD], "root", 60)
            report(box)
        finally:
            sandbox.delete(chosen, box.session_id, box.machine)
    return 0


@contextlib.contextmanager
def agent() -> Iterator[settings.Settings]:
    """Settings of an agent of the bench's own, with this process in its namespace, over the installed images."""
    installed = settings.load(os.environ)
    with tempfile.TemporaryDirectory(prefix="bulkhead-bench-") as folder:
        chosen = settings.load({**os.environ, "BULKHEAD_STATE_DIR": folder, "BULKHEAD_RUN_DIR": f"/run/bhbench-{os.getpid()}",
                                "BULKHEAD_CGROUP": f"bhbench-{os.getpid()}", "BULKHEAD_SLOT_BASE": "29000"})
        chosen.agent_dir.mkdir()
        (chosen.agent_dir / "images").symlink_to(installed.images_dir)
        assert "base" in images.installed(chosen), "no base image: sudo ./lab up builds it"
        namespace.enter(chosen)
        try:
            yield chosen
        finally:
            cgroup.Group(chosen.cgroup).remove()
            shutil.rmtree(chosen.run_dir, ignore_errors=True)


def specification(profile: str = "nested", memory_bytes: int = 1 << 30) -> sandbox.Spec:
    return sandbox.Spec(str(uuid.uuid4()), "box", "base", profile, "root", "lab", memory_bytes, 512, 1.0, 256 << 20)


def report(box: sandbox.Sandbox) -> None:
    found = xray.collect(box)
    pids = [process["pid"] for process in found["processes"]]
    ours, few = cpu_ms(lambda: xray.collect(box)), cpu_ms(lambda: xray.collect(box, {"processes"}))
    peer = cpu_ms(lambda: by_hand(pids, found))
    print(f"{len(pids)} processes, {len(found['namespaces'])} namespaces, {len(found['mounts'])} mounts, "
          f"{len(found['networks'])} networks, cgroup version {found['cgroup_version']}")
    print(f"{'everything':34}{ours:8.1f} ms of CPU")
    print(f"{'what a check on processes asks':34}{few:8.1f} ms of CPU")
    print(f"{'ps, lsns, ip (knows less)':34}{peer:8.1f} ms of CPU, {peer / ours:.1f} times as much")


def cpu_ms(act: Callable[[], object]) -> float:
    """Median CPU time of ``act``, with the children that it waited for."""
    spent = []
    for _ in range(ROUNDS):
        before = used_seconds()
        act()
        spent.append((used_seconds() - before) * 1000)
    return statistics.median(spent)


def used_seconds() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def by_hand(pids: list[int], found: dict) -> None:
    """What the shell offers: processes with their namespaces, all namespaces, and each network."""
    listed = ",".join(map(str, pids))
    run("ps", "-o", "pid,ppid,user,comm,args,rss,time,pidns,mntns,netns,utsns,ipcns,userns,cgroup", "-p", listed)
    run("lsns", "--json", "--output-all")
    for space in found["namespaces"]:
        if space["type"] == "net" and space["members"] and not space["is_host"]:
            for what in ("link", "addr", "route"):
                run("nsenter", "-t", str(space["members"][0]), "-n", "ip", "-json", what)


def run(*command: str) -> None:
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, check=False)


if __name__ == "__main__":
    sys.exit(main())
