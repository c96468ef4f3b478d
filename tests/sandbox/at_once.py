"""``python -m tests.sandbox.at_once ROUNDS [SECONDS]``: threads of one process that make, use and remove sandboxes at once, as an
agent's do. The last line is JSON: how many, what went wrong, what is left. In a process of its own, because threads that wait
for one another can't be ended; should it take longer than SECONDS, it says where every thread stands, and ends."""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import subprocess
import sys
import threading
import time
import traceback
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from runtime_agent import namespace, pool, proc, rootfs, sandbox, settings, spawn
from runtime_agent.addresses import Interface
from runtime_agent.capacity import Capacity
from runtime_agent.diskcopy import Source
from runtime_agent.points import Points
from runtime_agent.records import Records
from runtime_agent.settings import Settings
from tests.instance import PATIENCE, wait_until
from tests.sandbox.inventory import difference, inventory
from tests.sandbox.machines import specification

AT_ONCE, SPARES, TERMINALS = 8, 2, 3


def use(host: Settings, create: Any, is_wired: bool) -> None:
    """One session of one or two machines, from nothing to nothing."""
    session_id = str(uuid.uuid4())
    names = ("box", "db") if is_wired else ("box",)
    try:
        for number, name in enumerate(names, 1):
            wires = (Interface(0, number, "eth0", f"10.77.0.{number}/24"),) if is_wired else ()
            work(host, create(host, replace(specification("standard"), session_id=session_id, machine=name, interfaces=wires)))
        if is_wired:
            box = sandbox.find(host, session_id, "box")
            knock = spawn.run(host, box, ["/bin/bash", "-c", "exec 3<>/dev/tcp/10.77.0.2/1"], "root", 20 * PATIENCE)
            assert "refused" in knock.output, knock  # by the other machine, which hears it
    finally:
        for name in names:
            sandbox.delete(host, session_id, name)
        Records(host.agent_dir).remove(session_id, keep=False)


def work(host: Settings, box: sandbox.Sandbox) -> None:
    """Terminals, commands, and a point to go back to while somebody writes."""
    for number in range(TERMINALS):
        os.close(spawn.adopt(spawn.open_terminal(host, box, number, 24, 80)))
    assert spawn.run(host, box, ["/bin/sh", "-c", "echo work >/root/file"], "root", 20 * PATIENCE).status == 0
    source = Source(box.machine, rootfs.disk_path(host, box.spec.name), rootfs.disk_mount(box.container))
    Points(host).take(box.session_id, 1 if box.machine == "box" else 2, "one", [source])
    assert spawn.run(host, box, ["/bin/cat", "/root/file"], "root", 20 * PATIENCE).output == "work\n"
    assert spawn.hang_up(box, 0)


def look(host: Settings) -> dict[str, Any]:
    subprocess.run(["/bin/true"], check=True)  # which collects the children that have ended and that nobody waited for
    found = inventory(host)
    found["descriptors"] = sorted(found["descriptors"].elements())
    return {**found, "slots": sorted(name for _, name in found["slots"]), "threads": sorted(thread.name for thread in threading.enumerate()),
            "zombies": sorted(zombies())}


def zombies() -> Iterator[str]:
    for entry in Path("/proc").glob("[0-9]*"):
        fields = proc.stat_fields(int(entry.name))
        if fields and fields[0] == "Z" and int(fields[1]) == os.getpid():
            yield entry.name


def run(host: Settings, rounds: int) -> dict[str, Any]:
    warm = pool.Pool(replace(host, warm=SPARES), Capacity(4 * AT_ONCE, lambda: {
        (box.session_id, box.machine) for box in sandbox.living(host)}))
    use(host, sandbox.create, is_wired=True)
    before, errors, done = look(host), [], []
    stopped = threading.Event()
    keeper = threading.Thread(target=warm.run, args=(stopped,), name="pool")
    keeper.start()

    def go(number: int) -> None:
        for turn in range(rounds):
            try:
                use(warm.settings, warm.create if (number + turn) % 2 else sandbox.create, is_wired=number % 4 == 0)
                done.append(number)
            except Exception:
                errors.append(traceback.format_exc()[-1500:])
    with ThreadPoolExecutor(AT_ONCE) as threads:
        list(threads.map(go, range(AT_ONCE)))
    stopped.set()
    keeper.join()
    empty(host)
    with contextlib.suppress(TimeoutError):  # told by what is left
        wait_until(lambda: not difference(before, look(host)), 20)
    return {"sessions": len(done), "errors": errors, "left": difference(before, look(host))}


def empty(host: Settings) -> None:
    """No spares and no launchers any more."""
    last = pool.Pool(replace(host, warm=0), Capacity(1, list))
    while last.step():
        pass
    pool.launcher.stand_ready(host, 0)


def main() -> None:
    faulthandler.dump_traceback_later(float(sys.argv[2]) if len(sys.argv) > 2 else 600, exit=True)
    host = settings.load(os.environ)
    host.spares_dir.mkdir(parents=True, mode=0o700)
    namespace.enter(host)
    began = time.monotonic()
    found = run(host, int(sys.argv[1]))
    print(json.dumps({**found, "seconds": round(time.monotonic() - began, 1)}))


if __name__ == "__main__":
    main()
