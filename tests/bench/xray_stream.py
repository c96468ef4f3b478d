"""What a class of open X-ray panels costs: `sudo ./lab bench xray_stream [PANELS]`, 50 without a number.

So many real sandboxes, each with a shell and a program that computes, a tenth of them starting a process twice a
second; all are watched through a real Redis, and as many panels hear them in this process through the site's own hub.
Printed is the CPU time of both sides and of Redis over 20 seconds, as a share of one core; before that, with no panel open, what
the history of every session costs at rest and while in each of them a command ends every ten seconds.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from django.conf import settings as site

from runtime_agent import sandbox, settings, spawn
from runtime_agent.marks import TerminalMark
from runtime_agent.records import Record, Records
from runtime_agent.xray import historian as historian_module
from runtime_agent.xray.historian import Historian
from runtime_agent.xray.stream import Stream
from tests.bench.xray import agent, specification

SECONDS, REST_ROUNDS = 20, 3
CALM = "exec >/dev/null 2>&1 </dev/null; setsid bash -c 'while sleep 1; do echo $((x++)); done' & setsid sleep 600 & sleep 0.1"
BUSY = "exec >/dev/null 2>&1 </dev/null; setsid bash -c 'while :; do sleep 0.5; done' &"
TICKS = os.sysconf("SC_CLK_TCK")


def main() -> int:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    with agent() as chosen:
        redis, url = start_redis(chosen)
        chosen = settings.load({**os.environ, "BULKHEAD_STATE_DIR": str(chosen.state_dir), "BULKHEAD_CGROUP": chosen.cgroup,
                                "BULKHEAD_RUN_DIR": str(chosen.run_dir), "BULKHEAD_SLOT_BASE": "29000", "BULKHEAD_REDIS_URL": url})
        boxes = []
        try:
            boxes = [open_box(chosen, number) for number in range(count)]
            asyncio.run(measure(chosen, boxes, redis, url))
        finally:
            for box in boxes:
                sandbox.delete(chosen, box.session_id, box.machine)
            redis.terminate()
            redis.wait()
    return 0


def start_redis(chosen: settings.Settings) -> tuple[subprocess.Popen, str]:
    path = Path(chosen.run_dir) / "redis.sock"
    path.parent.mkdir(parents=True, exist_ok=True)
    server = subprocess.Popen(["redis-server", "--port", "0", "--unixsocket", str(path), "--save", "", "--dir", "/tmp"],
                              stdout=subprocess.PIPE, stdin=subprocess.PIPE)
    while not path.exists():
        time.sleep(0.05)
    return server, f"unix://{path}?db=0"


def open_box(chosen: settings.Settings, number: int) -> sandbox.Sandbox:
    box = sandbox.create(chosen, specification("standard", 128 << 20))
    Records(chosen.agent_dir).save(Record(box.session_id, 1, "bench", state="ready"))
    spawn.open_terminal(chosen, box, 0, 24, 80)
    spawn.run(chosen, box, ["/bin/bash", "-c", CALM + (f"\n{BUSY}" if number % 10 == 0 else "")], "root", 20)
    return box


async def measure(chosen: settings.Settings, boxes: list, redis: subprocess.Popen, url: str) -> None:
    site.configure(REDIS_URL=url)
    from labs import facts_hub
    historian = Historian(chosen, Records(chosen.agent_dir))
    measure_rest(historian, boxes)
    stream, stopped, spent, heard = Stream(chosen, Records(chosen.agent_dir), historian), threading.Event(), {}, [0, 0]

    def work() -> None:
        stream.work(stopped)
        spent["agent"] = time.thread_time()

    async def take(frame: bytes) -> None:
        heard[0] += 1
        heard[1] += len(frame)
    threads = [threading.Thread(target=body) for body in (work, lambda: stream.listen(stopped))]
    for thread in threads:
        thread.start()
    await asyncio.sleep(1.5)
    panels = [facts_hub.Panel(box.session_id, take) for box in boxes]
    for panel in panels:
        await facts_hub.current().join(panel)
    await asyncio.sleep(3)
    heard[:] = [0, 0]
    before = time.thread_time(), cpu_of(redis.pid), time.process_time()
    await asyncio.sleep(SECONDS)
    hub, server, ours = (now - then for now, then in zip((time.thread_time(), cpu_of(redis.pid), time.process_time()), before,
                                                         strict=True))
    stopped.set()
    for thread in threads:
        thread.join()
    if not heard[0]:
        raise SystemExit("no panel heard anything: what follows would be the cost of nothing")
    print(f"{len(boxes)} panels, {heard[0] / SECONDS / len(boxes):.1f} frames and {heard[1] / SECONDS / len(boxes):.0f} bytes "
          "a second for each")
    for name, seconds in (("agent", ours - hub), ("site", hub), ("redis", server), ("together", ours + server)):
        print(f"{name:10}{100 * seconds / SECONDS:6.1f} % of a core")


def measure_rest(historian: Historian, boxes: list) -> None:
    """The history alone, as with no panel open: sessions at rest, and a command every ten seconds in each of them."""
    historian.look_around()
    time.sleep(historian_module.SPACING_SECONDS)
    for what, is_typing in (("history at rest", False), ("history, a command in each every 10 s", True)):
        stopped = threading.Event()
        worker = threading.Thread(target=lambda: historian.work(stopped))  # noqa: B023 joined below
        before = time.process_time()
        worker.start()
        for _ in range(REST_ROUNDS):
            for box in boxes if is_typing else ():
                historian.take(TerminalMark(box.session_id, 0, is_done=False, text="ls"))
                historian.take(TerminalMark(box.session_id, 0, status=0))
            time.sleep(historian_module.ROUND_SECONDS)
        stopped.set()
        worker.join()
        used = time.process_time() - before
        print(f"{what:40}{100 * used / REST_ROUNDS / historian_module.ROUND_SECONDS:6.2f} % of a core for {len(boxes)} sessions")
    kept = [subject.history for subject in historian.subjects.values()]
    print(f"{'kept for a session':40}{max(one.frame_bytes() for one in kept):8} bytes of frames at most")


def cpu_of(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


if __name__ == "__main__":
    sys.exit(main())
