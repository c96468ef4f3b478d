"""A real shell prints while the bridge is killed: every byte arrives, in order, once."""

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest
import redis.asyncio as redis

from runtime_agent import protocol, spawn
from runtime_agent.protocol.terminal_codec import Frame
from tests.agent.bus_stage import Page, until

pytestmark = pytest.mark.sandbox

PROJECT = Path(__file__).resolve().parents[2]
LINES = 200_000
KILLS = 5


class Processes:
    """A Redis and a bridge as processes of their own; only they are ever killed."""

    def __init__(self, root: Path, settings):
        self.root, socket = root, root / "redis.sock"
        self.environment = {**os.environ, "PYTHONPATH": str(PROJECT), "BULKHEAD_REDIS_URL": f"unix://{socket}",
                            "BULKHEAD_STATE_DIR": str(settings.state_dir), "BULKHEAD_RUN_DIR": str(settings.run_dir),
                            "BULKHEAD_CGROUP": settings.cgroup}
        self.server = subprocess.Popen(
            ["/usr/bin/redis-server", "--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", str(root)],
            stdout=subprocess.DEVNULL)
        self.client = redis.Redis(unix_socket_path=str(socket))
        self.bridge = None

    def start_bridge(self) -> None:
        with (self.root / "bridge.log").open("ab") as log:
            self.bridge = subprocess.Popen([sys.executable, "-m", "runtime_agent", "bridge"],
                                           cwd=PROJECT, env=self.environment, stdin=subprocess.PIPE, stderr=log)

    def kill_bridge(self) -> None:
        self.bridge.kill()
        self.bridge.wait()

    async def close(self) -> None:
        if self.bridge:
            self.kill_bridge()
        await self.client.aclose()
        self.server.kill()
        self.server.wait()


@pytest.fixture
async def processes(agent):
    root = Path(tempfile.mkdtemp(prefix="bh-"))
    processes = Processes(root, agent)
    await until((root / "redis.sock").exists, what="the socket of Redis")
    yield processes
    await processes.close()
    shutil.rmtree(root)


@pytest.fixture
async def page(agent, make, processes):
    """Alice's page on terminal 0 of a new sandbox, at its first prompt."""
    box = make()
    processes.terminal = spawn.open_terminal(agent, box, 0, 24, 80)
    processes.start_bridge()
    alice = Page(SimpleNamespace(client=processes.client), 1, terminal_id=protocol.terminal_id(box.session_id, 0))
    alice.has_greeted = True  # from now on it greets whenever a bridge says that it is there
    alice.listening = asyncio.create_task(alice.listen())
    await until(lambda: b"133;B" in alice.seen, what="a prompt")
    yield alice
    await alice.leave()


async def test_a_flood_across_kills_of_the_bridge_arrives_byte_for_byte(processes, page):
    expected = b"".join(b"%d\r\n" % number for number in range(1, LINES + 1))
    await page.type(b"stty -echo\r")
    await until(lambda: page.seen.count(b"133;B") == 2, what="a second prompt")
    before = len(page.seen)
    await page.type(b"seq 1 %d\r" % LINES)
    for kill in range(KILLS):
        mark = before + (kill + 1) * len(expected) // (KILLS + 3)
        await until(lambda mark=mark: len(page.seen) > mark, what="output")
        processes.kill_bridge()
        assert len(page.seen) < before + len(expected), "the flood was over before the kill"
        processes.start_bridge()
    await until(lambda: page.seen.count(b"133;B") == 3, 60, what="the last prompt")
    body = bytes(page.seen[before:])
    assert body.count(b"1\r\n2\r\n3\r\n") == 1
    printed = body[body.index(b"1\r\n2\r\n3\r\n"):]
    assert printed[:len(expected)] == expected
    assert b"\n" not in printed[len(expected):], "only the prompt is behind the last number"
    assert page.of(Frame.SKIPPED) == []


async def test_keys_typed_around_a_kill_reach_the_shell_once(processes, page):
    await page.type(b"echo $((20 + 1))")
    await until(lambda: page.received() == page.sent)
    processes.kill_bridge()
    unheard = b"000; exit 3\r"
    offset, welcomes = page.sent, len(page.of(Frame.WELCOME))
    await page.type(unheard)  # into the void: nobody listens
    processes.start_bridge()
    await until(lambda: len(page.of(Frame.WELCOME)) > welcomes, what="a WELCOME")
    assert page.of(Frame.WELCOME)[-1][2] == offset
    await page.put(Frame.INPUT, offset, data=unheard)
    await until(lambda: page.of(Frame.EXIT), what="the end")
    assert page.of(Frame.EXIT) == [(page.at, 3)]
    assert page.seen.count(b"21000\r\n") == 1
    assert processes.terminal.exit_status() == 3


async def test_a_bridge_told_to_stop_stops_and_leaves_the_shell(processes, page):
    processes.bridge.terminate()
    assert await asyncio.to_thread(processes.bridge.wait, 10) == 0
    assert processes.terminal.is_alive()
