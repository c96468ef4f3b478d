"""`./lab bench faults [--rounds N] [--json FILE] [--only NAME]`: break a site with three hosts, again and again, and count.

Each round starts sessions, breaks one thing, mends it, and waits until the site's rows and the hosts' sandboxes agree.
A session is lost when it was ready before, its host had power all the time, and it is not the same living sandbox
afterwards; it is doubled when two hosts carry it in the end. One of either, or a round that never agrees, and the exit
status is 1, as it is if nothing was broken. The last line is JSON.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import secrets
import signal
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

import redis  # noqa: E402

from runtime_agent import fleet as words  # noqa: E402
from runtime_agent import protocol  # noqa: E402
from tests import poison  # noqa: E402
from tests.faults import rig  # noqa: E402
from tests.instance import wait_until  # noqa: E402

SESSIONS = 6
AGREE_SECONDS = 120
LOST_SECONDS = 8


@dataclass
class Round:
    """What one fault did. ``seconds`` counts from the moment it was mended until everything agreed."""

    fault: str
    before: int
    after: int
    lost: int
    doubled: int
    seconds: float
    error: str = ""


class Breaker:
    """The faults, one method each; a method breaks, mends, and returns when it is mended: the host whose sandboxes it
    ended, if it did."""

    def __init__(self, fleet: rig.Fleet):
        self.fleet, self.site = fleet, fleet.site
        self.faults: dict[str, Callable[[], str | None]] = {
            "line cut 3 s": lambda: self.cut(3), "line cut until silent": lambda: self.cut(None),
            "line flaps": self.flap, "agent killed": self.kill_agent, "all agents killed": self.kill_all_agents,
            "agents killed 20 times": self.kill_agents_often, "web worker killed": self.kill_worker, "web server killed": self.kill_web,
            "malformed messages": self.push_malformed, "database locked 10 s": self.lock_database,
            "redis killed": self.kill_redis, "redis emptied": self.empty_redis, "redis stands still 5 s": self.stop_redis,
            "redis full 5 s": self.fill_redis,
            "create lost": self.lose_creates, "event lost": self.lose_events, "power cut": self.power_cut}

    def some_host(self) -> str:
        return secrets.choice(list(self.fleet.hosts))

    def cut(self, seconds: float | None) -> None:
        host = self.some_host()
        self.fleet.network.cut(host)
        if seconds is None:
            self.fleet.wait_for_hosts(host, silent=True)
        else:
            time.sleep(seconds)  # the length of the fault itself
        self.fleet.network.mend(host)

    def flap(self) -> None:
        host = self.some_host()
        for _ in range(10):
            self.fleet.network.cut(host)
            time.sleep(0.3)
            self.fleet.network.mend(host)
            time.sleep(0.2)

    def kill_agent(self) -> None:
        host = self.fleet.hosts[self.some_host()]
        host.kill("control")
        host.start("control")

    def kill_all_agents(self) -> None:
        for host in self.fleet.hosts.values():
            host.kill("control")
        for host in self.fleet.hosts.values():
            host.start("control")

    def kill_agents_often(self) -> None:
        for _ in range(20):
            self.kill_agent()
            time.sleep(0.5)

    def kill_web(self) -> None:
        self.site.kill("web")
        self.site.start("web")

    def push_malformed(self) -> None:
        with self.site.bus() as bus:
            for queue in (protocol.QUEUE_WEB, words.queue_of([]), *map(protocol.agent_queue, self.fleet.hosts)):
                bus.lpush(queue, *poison.raw(protocol.TASK_REPORT, session_id="x"))

    def lock_database(self) -> None:
        with contextlib.closing(sqlite3.connect(self.site.state / "web" / "db.sqlite3", timeout=30)) as database:
            database.execute("BEGIN EXCLUSIVE")
            time.sleep(10)
            database.rollback()

    def stop_redis(self) -> None:
        pid = self.site.children["redis"].pid
        os.kill(pid, signal.SIGSTOP)
        try:
            time.sleep(5)
        finally:
            os.kill(pid, signal.SIGCONT)

    def fill_redis(self) -> None:
        """It refuses whatever needs memory."""
        with self.site.bus() as bus:
            bus.config_set("maxmemory", 1)
            try:
                time.sleep(5)
            finally:
                bus.config_set("maxmemory", 0)

    def kill_worker(self) -> None:
        self.site.kill("worker")
        self.site.start("worker")

    def kill_redis(self) -> None:
        self.site.kill("redis")
        self.site.start("redis")

    def empty_redis(self) -> None:
        with self.site.bus() as bus:
            bus.flushall()

    def lose_creates(self) -> None:
        lost = self.steal(words.queue_of([]), 3, LOST_SECONDS, self.start_three)
        if len(lost) < 3:
            raise RuntimeError(f"only {len(lost)} creates were lost")

    def lose_events(self) -> None:
        """Three sandboxes become ready meanwhile."""
        lost = self.steal(protocol.QUEUE_WEB, 60, LOST_SECONDS, self.start_three)
        events = sum(protocol.TASK_RECORD_EVENT.encode() in message for message in lost)
        if events < 3 or len(lost) == 60:
            raise RuntimeError(f"{len(lost)} messages were lost, {events} of them events")

    def start_three(self) -> None:
        for _ in range(3):
            self.fleet.start(f"lost-{secrets.token_hex(4)}")

    def steal(self, queue: str, most: int, seconds: float, meanwhile: Callable[[], None]) -> list[bytes]:
        """Take what comes into a queue for so long, ``most`` messages at most, before any worker can: Redis serves
        first who has waited longest, and workers begin to wait anew each second."""
        def take() -> bytes | None:
            with redis.Redis.from_url(self.site.environment["BULKHEAD_REDIS_URL"]) as bus:
                found = bus.brpop([queue], timeout=seconds + 2)
            return found and found[1]
        with ThreadPoolExecutor(most + 1) as thieves:
            waiting = [thieves.submit(take) for _ in range(most)]
            time.sleep(2)  # until every worker stands behind them
            meanwhile()
            return [message for each in waiting if (message := each.result())]

    def power_cut(self) -> str:
        host = self.fleet.hosts[self.some_host()]
        host.power_off()
        self.fleet.network.mend(host.name)
        host.start("control")
        return host.name


def one_round(fleet: rig.Fleet, fault: str, do: Callable[[], str | None]) -> Round:
    """Half of the sessions are ready when the fault comes, the other half are being started under it."""
    ready = [fleet.start(f"r-{secrets.token_hex(4)}") for _ in range(SESSIONS // 2)]
    for session_id in ready:
        fleet.wait_state(session_id, "ready")
    before = pids(fleet)
    for _ in range(SESSIONS - len(ready)):
        fleet.start(f"s-{secrets.token_hex(4)}")
    dead = do()
    began, error = time.monotonic(), ""
    try:
        wait_until(lambda: agree(fleet), AGREE_SECONDS, "rows and sandboxes to agree")
    except TimeoutError as late:
        error = f"{late}: {disagreement(fleet)}"
    seconds, after = time.monotonic() - began, pids(fleet)
    lost = [session_id for session_id in ready
            if after.get(session_id) != before[session_id] and dead not in before[session_id]]
    doubled = [session_id for session_id, where in after.items() if len(where) > 1]
    alive = len(after)
    try:
        fleet.end_all()
    except TimeoutError as late:
        error += f"{late}: {disagreement(fleet)}"
        print(fleet.logs(), file=sys.stderr)
    return Round(fault, SESSIONS, alive, len(lost), len(doubled), seconds, error)


def pids(fleet: rig.Fleet) -> dict[str, dict[str, int]]:
    """session id -> {host: pid} of everything that lives anywhere."""
    found: dict[str, dict[str, int]] = {}
    for name, host in fleet.hosts.items():
        for session_id, pid in host.living().items():
            found.setdefault(session_id, {})[name] = pid
    return found


def disagreement(fleet: rig.Fleet) -> list[str]:
    """Every session whose row says something else than the hosts do."""
    here, rows = pids(fleet), fleet.site.call("every")
    wrong = [f"{session_id} {row['state']} on {row['host']!r}, lives on {list(here.get(session_id, {}))}"
             for session_id, row in rows.items()
             if row["state"] in ("queued", "starting", "ending")
             or (row["state"] == "ready") != (list(here.get(session_id, {})) == [row["host"]])
             or (row["state"] in ("ended", "failed") and session_id in here)]
    return wrong + [f"{session_id} has no row" for session_id in here.keys() - rows.keys()]


def agree(fleet: rig.Fleet) -> bool:
    hosts = fleet.site.call("hosts")
    return not any(host["is_silent"] for host in hosts.values()) and not disagreement(fleet)


def report(rounds: list[Round], json_file: Path | None) -> int:
    print(f"\n{'fault':24}{'rounds':>7}{'before':>8}{'after':>7}{'lost':>6}{'doubled':>9}{'median s':>10}{'most s':>8}")
    for fault in dict.fromkeys(one.fault for one in rounds):
        own = [one for one in rounds if one.fault == fault]
        seconds = [one.seconds for one in own]
        print(f"{fault:24}{len(own):7}{sum(one.before for one in own):8}{sum(one.after for one in own):7}"
              f"{sum(one.lost for one in own):6}{sum(one.doubled for one in own):9}"
              f"{statistics.median(seconds):10.1f}{max(seconds):8.1f}")
    for one in rounds:
        if one.error:
            print(f"{one.fault}: {one.error}")
    text = json.dumps([asdict(one) for one in rounds])
    if json_file:
        json_file.write_text(text)
    print(text, flush=True)
    return 1 if not rounds or any(one.lost or one.doubled or one.error for one in rounds) else 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="./lab bench faults", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="of each fault, default 5")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--only", default="", help="faults whose name contains this")
    chosen = parser.parse_args()
    if os.geteuid():
        raise SystemExit("hosts and networks need root: sudo ./lab bench faults")
    rounds: list[Round] = []
    with tempfile.TemporaryDirectory(prefix="bulkhead-faults-") as folder, rig.running(Path(folder)) as fleet:
        faults = {name: do for name, do in Breaker(fleet).faults.items() if chosen.only in name}
        if not faults:
            raise SystemExit(f"no fault is called {chosen.only!r}; there is: {', '.join(Breaker(fleet).faults)}")
        for number in range(chosen.rounds):
            for fault, do in faults.items():
                rounds.append(one := one_round(fleet, fault, do))
                print(f"round {number + 1} {fault}: {one.seconds:.1f} s, lost {one.lost}, doubled {one.doubled} {one.error}",
                      flush=True)
    return report(rounds, chosen.json)


if __name__ == "__main__":
    sys.exit(main())
