"""Many sessions come and go, twenty at once, while conmons, first processes and the agent itself are killed; then the host
is looked at again.

A real agent does it, over a Redis of its own, with spares. What a session takes is compared by name where names last, by
number where every session has names of its own (spares, processes). Of the agent's own, memory is that of the last agent
that was started, from when it had done its first tenth; descriptors are those of the first and of the last agent at rest:
in between, their number is a matter of the moment (a spare alone holds two pipes).
"""

from __future__ import annotations

import os
import random
import re
import signal
import time
import uuid
from collections import Counter
from pathlib import Path
from typing import Any

import redis

from runtime_agent import namespace, sandbox, spares, state
from tests.instance import PATIENCE, wait_until
from tests.sandbox import inventory
from tests.sandbox.stage import Site

AT_ONCE, SPARES = 20, 2
VICTIMS = ("nobody", "conmon", "init")
AGENT_KILLS = 5
"""Evenly over the first two thirds; the last third is for one agent, whose memory and descriptors are watched."""
QUIET_SECONDS = 90.0
REPEAT_SECONDS = 3.0
"""Of silence, after which the site says everything again: messages that a killed agent had fetched come again after two
minutes only (VISIBILITY_SECONDS), and every task may be repeated."""
MEMORY_SLACK_BYTES = 12 << 20
DESCRIPTOR_SLACK = 8
"""Connections to Redis that threads open when they need them and keep. The last agent has a third of all sessions, 17 of
the suite's 50: one descriptor left by each of them is well above this."""
TIDY_SECONDS = 200.0
"""The agent's reaper comes each minute, and what it finds must be a minute old."""
FOR_EVER = -1
"""ttl(key) of one that does not expire. What ends by itself, such as a claim after a day, is no leak."""
TO_THE_SITE = "web"
"""The queue that this process reads: whether a heartbeat lies in it is a matter of the moment."""
UNACKNOWLEDGED = "*.unacked_index"
"""kombu's sorted sets of messages that were fetched and not acknowledged, one for each host."""
OWN_NAME = re.compile(r"^/proc/\d+/root|[0-9a-f]{8}-[0-9a-f-]{27}|(?<=-)[0-9a-f]{12}$")
"""What differs from session to session in the path of a file."""
NUMBERS_ONLY = ("processes", "network namespaces", "slots", "cgroups", "mounts", "loop devices")


class Churn:
    """``number`` sessions over ``site``; ``kills`` counts what was killed, ``outcomes`` how sessions ended."""

    def __init__(self, site: Site, number: int, chance: random.Random, agent_kills: int = 0):
        self.site, self.number, self.chance, self.agent_kills = site, number, chance, agent_kills
        self.alive: dict[str, str] = {}
        self.kills: Counter[str] = Counter()
        self.outcomes: Counter[str] = Counter()
        self.begun = self.ended = self.seen = 0
        self.settled: dict[str, int] = {}

    def run(self) -> None:
        """Until every session has ended. Raises AssertionError with what is stuck."""
        kill_at = {self.number * 2 // 3 * (turn + 1) // self.agent_kills for turn in range(self.agent_kills)}
        settle_at = self.number * 2 // 3 + max(self.number // 10, 1)
        heard = said = time.monotonic()
        while self.ended < self.number:
            while self.begun < self.number and len(self.alive) < AT_ONCE:
                self.begin()
            if self.hear():
                heard = said = time.monotonic()
            if time.monotonic() - said > REPEAT_SECONDS * PATIENCE:
                said = time.monotonic()
                self.repeat()
            if kill_at and self.ended >= min(kill_at):
                kill_at.remove(min(kill_at))
                self.restart_agent()
            if self.ended >= settle_at and not self.settled:
                self.settled = self.agent_figures()
            assert time.monotonic() - heard < QUIET_SECONDS * PATIENCE, f"stuck: {self.alive}\n{self.site.instance.log('control')}"

    def begin(self) -> None:
        session_id = str(uuid.uuid4())
        self.alive[session_id] = "asked for"
        self.begun += 1
        self.site.create(session_id)

    def repeat(self) -> None:
        for session_id, wish in self.alive.items():
            (self.site.create if wish == "asked for" else self.site.delete)(session_id)

    def hear(self) -> bool:
        """Take what the agent has said since; False if that was nothing."""
        self.site.receive()
        news = self.site.events[self.seen:]
        if not news:
            time.sleep(0.02)
        for event in news:
            if event["session_id"] in self.alive:
                self.on_event(event["session_id"], event["kind"])
        self.seen += len(news)
        return bool(news)

    def on_event(self, session_id: str, kind: str) -> None:
        if kind == "ready" and self.alive[session_id] == "asked for":
            self.alive[session_id] = "leaving"
            self.kill_one(session_id)
            self.site.delete(session_id)
        elif kind in ("removed", "failed"):
            self.outcomes[kind] += 1
            self.ended += 1
            del self.alive[session_id]

    def kill_one(self, session_id: str) -> None:
        victim = self.chance.choice(VICTIMS)
        home = sandbox.directory(self.site.settings, session_id, "box")
        found = state.load(home) or {}
        pid = found.get({"conmon": "conmon_pid", "init": "init_pid"}.get(victim, ""))
        if pid:
            self.kills[victim] += 1
            os.kill(pid, signal.SIGKILL)

    def restart_agent(self) -> None:
        self.kills["agent"] += 1
        self.site.instance.kill("control")
        self.site.instance.start("control")

    # --- looking ------------------------------------------------------------------------------------------

    def agent_pid(self) -> int:
        return self.site.instance.children["control"].pid

    def agent_figures(self) -> dict[str, int]:
        """Its memory in bytes and its open descriptors."""
        pages = int(Path(f"/proc/{self.agent_pid()}/statm").read_text().split()[1])
        return {"memory": pages * os.sysconf("SC_PAGE_SIZE"), "descriptors": len(os.listdir(f"/proc/{self.agent_pid()}/fd"))}

    def look(self) -> dict[str, Any]:
        """The host's and Redis' side, without what only the agent's process has."""
        wait_until(lambda: inventory.in_view(namespace.VIEW, self.agent_pid()).exists(), 20, "the agent's namespace")
        found = inventory.inventory(self.site.settings, self.agent_pid())
        del found["descriptors"]
        found["files"] = sorted(OWN_NAME.sub("*", path) for path in found["files"])
        with redis.Redis.from_url(self.site.settings.redis_url) as bus:
            keys = sorted(key.decode() for key in bus.scan_iter() if bus.ttl(key) == FOR_EVER)
        keys = [key for key in keys if key != TO_THE_SITE]
        return {**{name: len(value) if name in NUMBERS_ONLY else value for name, value in found.items()}, "Redis keys": keys}


def churn(site: Site, number: int, seed: int) -> dict[str, Any]:
    """Run it; {"seconds", "kills", "outcomes", "before", "after", "settled", "figures"}. Raises AssertionError for a leak."""
    began = time.monotonic()
    first = Churn(site, 3, random.Random(seed))  # noqa: S311
    first.run()
    before = wait_until_steady(first)
    at_rest = first.agent_figures()["descriptors"]
    main = Churn(site, number, random.Random(seed), AGENT_KILLS)  # noqa: S311
    main.run()
    after: dict[str, Any] = {}

    def is_as_before() -> bool:
        let_time_pass(site)
        after.update(main.look())
        return after == before  # what a killed agent left lies there until it is a minute old

    try:
        wait_until(is_as_before, TIDY_SECONDS)
    except TimeoutError:
        changed = {name: difference(before[name], after[name]) for name in before if before[name] != after[name]}
        raise AssertionError(f"before and after differ: {changed}\n{site.instance.log('control')}") from None
    figures = main.agent_figures()
    main.settled["descriptors"] = at_rest
    assert figures["memory"] <= main.settled["memory"] + MEMORY_SLACK_BYTES, (main.settled, figures)
    assert figures["descriptors"] <= main.settled["descriptors"] + DESCRIPTOR_SLACK, (main.settled, figures)
    return {"seconds": round(time.monotonic() - began, 1), "kills": dict(main.kills), "outcomes": dict(main.outcomes),
            "before": before, "after": after, "settled": main.settled, "figures": figures}


def difference(before: Any, after: Any) -> Any:
    if isinstance(before, int):
        return f"{before} -> {after}"
    had, has = Counter(before), Counter(after)
    return [f"+{name}" for name in has - had] + [f"-{name}" for name in had - has]


def let_time_pass(site: Site) -> None:
    """What a killed agent had fetched is old enough to be delivered again (kombu's index of it is by time)."""
    with redis.Redis.from_url(site.settings.redis_url) as bus:
        for name in bus.scan_iter(UNACKNOWLEDGED):
            for tag in bus.zrange(name, 0, -1):
                bus.zadd(name, {tag: 0}, xx=True)
    site.receive()


def wait_until_steady(run: Churn) -> dict[str, Any]:
    """The look at the host when the pool has its spares and two looks, a second apart, are the same."""
    wait_until(lambda: len(spares.unclaimed(run.site.settings)) == SPARES, 60, "the spares")
    last: list[dict[str, Any]] = [run.look()]

    def is_steady() -> bool:
        time.sleep(1.0)
        last.append(run.look())
        return last[-1] == last[-2]

    wait_until(is_steady, 60, "the agent to come to rest")
    return last[-1]
