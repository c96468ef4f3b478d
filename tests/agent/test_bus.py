"""A connection to Redis that stays, whatever Redis says meanwhile."""

import asyncio
import contextlib
import subprocess

import pytest
import redis

from runtime_agent.bus import Connection
from tests.agent.bus_stage import until


@pytest.fixture
def server(tmp_path):
    """A Redis that knows nobody but the one who is connected here."""
    path = tmp_path / "redis.sock"
    process = subprocess.Popen(["redis-server", "--port", "0", "--unixsocket", str(path), "--dir", str(tmp_path), "--save", ""],
                               stdout=subprocess.DEVNULL)
    admin = redis.Redis(unix_socket_path=str(path), retry=redis.retry.Retry(redis.backoff.ConstantBackoff(0.05), 400))
    admin.execute_command("ACL", "SETUSER", "default", "reset", "on", ">admin", "~*", "&*", "+@all")
    admin = redis.Redis(unix_socket_path=str(path), password="admin")
    yield path, admin
    process.kill()
    process.wait()


async def test_who_is_refused_comes_back_until_redis_knows_them(server):
    """A Redis that lost its users is given them again by the site, some seconds after its hosts have come back."""
    path, admin = server
    heard, tries = [], []
    listener = Connection(f"unix://host-a:secret@{path}", lambda it: tries.append(it.send(b"SUBSCRIBE", b"term:x")), heard.append)
    running = asyncio.ensure_future(listener.run())
    try:
        for _ in range(2):
            await until(lambda: len(tries) >= 2, what="a second try")
            admin.execute_command("ACL", "SETUSER", "host-a", "on", ">secret", "&*", "+@all")
            await until(lambda: [b"subscribe", b"term:x", 1] in heard, what="a subscription")
            del heard[:], tries[:]
            admin.execute_command("ACL", "DELUSER", "host-a")
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        listener.close()
