"""A whole class at nine o'clock: `sudo ./lab bench class [--students 200] [--postgres]`.

Every student clicks Start at the same moment, does what the page does (``student``) until the first prompt, and then types lines at a person's speed, each of which makes the checks run. Then all
are quiet, and what the sessions cost at rest is counted. The students share the two cores with the site. Takes four minutes.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import re
import statistics
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from deploy.lab import postgres  # noqa: E402
from runtime_agent import cgroup  # noqa: E402
from tests.bench.student import LESSON, Student, sign_in  # noqa: E402
from tests.bench.table import Row, percentile, report  # noqa: E402
from tests.instance import Instance, running, wait_until  # noqa: E402

TYPE_SECONDS, REST_SECONDS, QUIET_SECONDS = 30.0, 20.0, 15.0
TICK = os.sysconf("SC_CLK_TCK")


# --- what it costs ----------------------------------------------------------------------------------------


def processes(site: Instance) -> list[int]:
    """Those of the site and of every sandbox."""
    found = {child.pid for child in site.children.values()}
    top = Path("/sys/fs/cgroup")
    for group in {*top.glob(f"*/{site.environment['BULKHEAD_CGROUP']}"), top / site.environment["BULKHEAD_CGROUP"]}:
        for file in group.rglob("cgroup.procs"):
            with contextlib.suppress(OSError):
                found |= {int(pid) for pid in file.read_text().split()}
    return sorted(found)


def cpu_seconds(site: Instance) -> Counter[str]:
    """By name: the site's processes with the children they waited for, and everything in the sandboxes' groups."""
    found: Counter[str] = Counter()
    for name, child in site.children.items():
        fields = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()
        found[name] = sum(int(field) for field in fields[11:15]) / TICK
    group = cgroup.Group(site.environment["BULKHEAD_CGROUP"])
    file = group.file("cpuacct", "cpuacct.usage") if group.version == 1 else group.file("cpu", "cpu.stat")
    found["sandboxes"] = int(file.read_text()) / 1e9 if group.version == 1 else int(file.read_text().split()[1]) / 1e6
    return found


def told(what: str, used: Counter[str], count: int) -> float:
    """Milliseconds of CPU for each session; who used them is told aside."""
    shares = ", ".join(f"{name} {seconds * 1000 / count:.1f}" for name, seconds in used.most_common() if seconds)
    print(f"{what}, ms of CPU a session: {shares}", file=sys.stderr, flush=True)
    return used.total() * 1000 / count


def memory_bytes(pids: list[int]) -> int:
    found = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
            found += int(re.search(r"^Pss: +(\d+)", text, re.MULTILINE)[1]) * 1024
    return found


def switches(pids: list[int]) -> int:
    """How often these processes and their threads have been woken so far."""
    found = 0
    for pid in pids:
        for file in Path(f"/proc/{pid}/task").glob("*/status"):
            with contextlib.suppress(OSError):
                found += int(re.search(r"^voluntary_ctxt_switches:\t(\d+)", file.read_text(), re.MULTILINE)[1])
    return found


# --- the lesson -------------------------------------------------------------------------------------------


async def hold_class(site: Instance, keys: list[str], with_pool: bool) -> list[Row]:
    errors: Counter[str] = Counter()
    students = [Student(site, key, errors) for key in keys]
    memory = memory_bytes(processes(site))
    await students[0].http("GET", LESSON)  # the site warms its templates, and the agent its pool for this lab
    if with_pool:
        await asyncio.to_thread(wait_until, lambda: spares(site) >= len(keys), 900, f"{len(keys)} spares")
    count = len(students)
    pids = " ".join(f"{name}={child.pid}" for name, child in site.children.items())
    print(f"{count} students click; {spares(site)} spares stand ready; {pids}", file=sys.stderr, flush=True)
    await asyncio.sleep(2)  # a profiler may be attached now
    cpu = cpu_seconds(site)
    await asyncio.gather(*(student.start() for student in students))
    started = [student for student in students if student.prompt_seconds is not None]
    waited = [student.prompt_seconds for student in started] or [float("inf")]
    start_cpu = told("start", cpu_seconds(site) - cpu, count)
    print(f"the last prompt came after {max(waited):.1f} s; errors {dict(errors)}", file=sys.stderr, flush=True)
    cpu = cpu_seconds(site)
    await asyncio.gather(*(student.type_lines(time.perf_counter() + TYPE_SECONDS) for student in started))
    type_cpu = told("typing", cpu_seconds(site) - cpu, count)
    await asyncio.sleep(QUIET_SECONDS)
    pids = processes(site)
    grown, cpu, woken = memory_bytes(pids) - memory, cpu_seconds(site), switches(pids)
    await asyncio.sleep(REST_SECONDS)
    woken, rest_cpu = switches(pids) - woken, told("rest", cpu_seconds(site) - cpu, count)
    echoes = [value for student in started for value in student.echoes] or [float("inf")]
    for what, times in errors.items():
        print(f"{times} times: {what}", file=sys.stderr)
    return [Row(f"{count} clicks at once: the last prompt", "s", max(waited), bound="<= 10"),
            Row("click to prompt p50", "s", statistics.median(waited)), Row("click to prompt p95", "s", percentile(waited, 0.95)),
            Row("CPU of a click to its prompt, pages too", "ms", start_cpu),
            Row("key echo p50, all typing", "ms", statistics.median(echoes)),
            Row("key echo p95, all typing", "ms", percentile(echoes, 0.95)),
            Row("CPU of a typing session", "ms/s", type_cpu / TYPE_SECONDS),
            Row("memory of a session, site and agent too", "MiB", grown / count / 2**20),
            Row("sessions at rest per GiB", "", count * 2**30 / grown, bound=">= 1000"),
            Row("CPU of a session at rest", "ms/s", rest_cpu / REST_SECONDS),
            Row("wake-ups of a session at rest", "1/s", woken / count / REST_SECONDS),
            Row("errors", "", sum(errors.values()), bound="<= 0")]


def spares(site: Instance) -> int:
    return len(list((site.state / "agent" / "spares").glob("*/state.json")))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--students", type=int, default=200)
    parser.add_argument("--warm", type=int, help="spares before the click; default: one for each student")
    parser.add_argument("--postgres", action="store_true", help="on a throw-away PostgreSQL instead of SQLite")
    parser.add_argument("--json", type=Path, help="also write the rows here")
    options = parser.parse_args()
    warm = options.students if options.warm is None else options.warm
    settings = {"BULKHEAD_CAPACITY": str(options.students + 10), "BULKHEAD_WARM": str(warm), "BULKHEAD_SLOT_BASE": "27000"}
    with contextlib.ExitStack() as stack:
        if options.postgres:
            settings["BULKHEAD_DATABASE_URL"] = stack.enter_context(postgres.running())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bulkhead-bench-")))
        site = stack.enter_context(running(folder / "site", **settings))
        vendor, keys = sign_in(site, options.students)
        print(f"the site's database is {vendor}", file=sys.stderr, flush=True)
        if vendor != ("postgresql" if options.postgres else "sqlite"):
            raise SystemExit("that is not the database that was asked for")
        return report(asyncio.run(hold_class(site, keys, warm >= options.students)), options.json)


if __name__ == "__main__":
    sys.exit(main())
