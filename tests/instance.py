"""A whole Bulkhead of its own for the tests: Redis, site, web worker, agent, in temporary folders.

Each process is started and killed by name, so a test can take any of them away with SIGKILL while somebody
types. Only processes started here are ever ended. Needs root and a built ``base`` image.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

from deploy.lab import services
from runtime_agent import cgroup

PROJECT = Path(__file__).resolve().parent.parent
CACHE = Path(os.environ.get("BULKHEAD_STATE_DIR", "/var/lib/bulkhead"))
PATIENCE = float(os.environ.get("BULKHEAD_TEST_PATIENCE", "1"))
"""How many times longer than on a machine of today the tests wait; the rig, whose processor is emulated, sets it."""
PROCESSES = ("redis", "web", "worker", "control", "bridge", "tunnel")


class StartError(RuntimeError):
    """A process of the instance did not come up; carries the tail of its log."""


def wait_until(condition: Callable[[], object], seconds: float = 30.0, what: str = "condition"):
    """Return the first true value of ``condition()``; TimeoutError with ``what`` after ``seconds`` times PATIENCE."""
    deadline = time.monotonic() + seconds * PATIENCE
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise TimeoutError(f"waited {seconds * PATIENCE:.0f} s for {what}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Instance:
    """One running site with its own database, Redis, agent, cgroup and id slots."""

    def __init__(self, root: Path, **settings: str):
        if bare := [name for name in settings if f"BULKHEAD_{name}" in (*services.PASSED_ON, *services.SITE_ONLY)]:
            raise StartError(f"nobody reads {', '.join(bare)}: settings of a site begin with BULKHEAD_")
        self.root = root
        self.port = free_port()
        self.children: dict[str, subprocess.Popen] = {}
        self.state, self.run = root / "state", root / "run"
        name = f"bhtest-{secrets.token_hex(3)}"
        self.environment = {
            # pytest-django's: with it Celery would load Django into the agent.
            **{name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"},
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "PYTHONPATH": str(PROJECT),
            "BULKHEAD_STATE_DIR": str(self.state),
            "BULKHEAD_RUN_DIR": str(self.run),
            "BULKHEAD_REDIS_URL": f"unix://{self.run}/redis.sock?db=0",
            "BULKHEAD_CGROUP": name,
            "BULKHEAD_HOST": name,
            "BULKHEAD_SLOT_BASE": str(2000 + secrets.randbelow(1000) * 16),
            "BULKHEAD_SECRET_KEY": secrets.token_hex(32),
            "BULKHEAD_ALLOWED_HOSTS": "127.0.0.1,localhost",
            "BULKHEAD_ORIGIN": f"http://127.0.0.1:{self.port}",
            "BULKHEAD_STATIC_DIR": str(root / "static"),
            "BULKHEAD_WARM": "0",
            "BULKHEAD_CAPACITY": "6",
            **settings,
        }

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def command(self, name: str) -> list[str]:
        python = [sys.executable, "-m"]
        return {
            "redis": ["redis-server", "--port", "0", "--unixsocket", f"{self.run}/redis.sock",
                      "--dir", str(self.state / "redis"), "--appendonly", "yes"],
            "web": [*python, "daphne", "-b", "127.0.0.1", "-p", str(self.port), "-v", "0",
                    "--websocket_connect_timeout", "60", "labsite.asgi:application"],
            "worker": [*python, "celery", "-q", "-A", "labsite", "worker", "-B", "-Q", "web", "-P", "threads", "-c", "4",
                       "-s", str(self.state / "web" / "beat"), "--without-gossip", "--without-mingle"],
            "control": [*python, "runtime_agent", "control"],
            "bridge": [*python, "runtime_agent", "bridge"],
            "tunnel": [*python, "runtime_agent", "tunnel"],
        }[name]

    def prepare(self) -> None:
        """Make the folders, migrate, load the course, and borrow the images that were built for this machine."""
        for folder in ("web", "redis", "content", "agent"):
            (self.state / folder).mkdir(parents=True)
        self.run.mkdir(parents=True)
        images = CACHE / "agent" / "images"
        if not images.exists():
            raise StartError(f"no images under {images}: sudo ./lab test builds them")
        (self.state / "agent" / "images").symlink_to(images)
        self.manage("prepare_site")

    def manage(self, *arguments: str, text: str | None = None) -> str:
        """Run ``manage.py``; its output, or StartError with all it printed."""
        done = subprocess.run([sys.executable, "manage.py", *arguments], cwd=PROJECT, env=self.environment,
                              input=text, capture_output=True, text=True, timeout=120)
        if done.returncode:
            raise StartError(f"manage.py {' '.join(arguments)}\n{done.stdout}{done.stderr}")
        return done.stdout

    def start(self, *names: str) -> None:
        for name in names or PROCESSES:
            with (self.root / f"{name}.log").open("ab") as log:
                self.children[name] = subprocess.Popen(
                    self.command(name), cwd=PROJECT, env=self.environment, stdin=subprocess.PIPE,
                    stdout=log, stderr=log, start_new_session=True)
            self.wait_ready(name)

    def wait_ready(self, name: str) -> None:
        ready = {"redis": self.redis_answers, "web": self.site_answers}.get(name, lambda: True)
        try:
            wait_until(lambda: ready() or self.children[name].poll() is not None, 40, f"{name} to answer")
        except TimeoutError as error:
            raise StartError(f"{error}\n{self.log(name)}") from None
        if self.children[name].poll() is not None:
            raise StartError(f"{name} ended at once\n{self.log(name)}")

    def redis_answers(self) -> bool:
        return (self.run / "redis.sock").exists() and b"PONG" in subprocess.run(
            ["redis-cli", "-s", f"{self.run}/redis.sock", "ping"], capture_output=True, timeout=10).stdout

    def site_answers(self) -> bool:
        with contextlib.suppress(OSError):
            return urllib.request.urlopen(f"{self.url}/healthz", timeout=2).status == 200  # noqa: S310
        return False

    def log(self, name: str, tail_bytes: int = 3000) -> str:
        return (self.root / f"{name}.log").read_bytes()[-tail_bytes:].decode(errors="replace")

    def kill(self, name: str) -> None:
        """SIGKILL the process and whatever it started in its own session, then collect it."""
        child = self.children.pop(name)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait(20)

    def stop(self) -> None:
        """End everything in the order that lets the agent remove its sandboxes."""
        for name in ("web", "worker", "bridge", "tunnel", "control"):
            if name in self.children:
                self.kill(name)
        subprocess.run([sys.executable, "-m", "runtime_agent", "reap", "--all"], cwd=PROJECT, env=self.environment,
                       stdin=subprocess.PIPE, capture_output=True, timeout=120)
        cgroup.Group(self.environment["BULKHEAD_CGROUP"]).remove()
        if "redis" in self.children:
            self.kill("redis")


@contextlib.contextmanager
def running(root: Path, **settings: str) -> Iterator[Instance]:
    """A prepared and started instance, torn down with everything it made."""
    instance = Instance(root, **settings)
    try:
        instance.prepare()
        instance.start()
        yield instance
    finally:
        instance.stop()
        shutil.rmtree(instance.run, ignore_errors=True)
