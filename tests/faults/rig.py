"""A site and worker hosts, each in a network namespace of its own, joined by a switch whose lines can be cut.

Everything is real: Redis with TLS and users, the site's web server, its worker and timers, and for each host the agent's
processes with a state folder, a control group and id slots of its own, joined by token. Only what was started here is
ended. Needs root and a built ``base`` image.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import redis

from runtime_agent import cgroup, fleet, protocol, sandbox, settings
from tests.instance import CACHE, PROJECT, Instance, StartError, wait_until

CONTENT = Path(__file__).resolve().parent / "content"
HOSTS = ("one", "two", "three")
SLOTS_PER_HOST = 16
BUS_PORT, WEB_PORT = 6380, 8000


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


class Network:
    """A switch in its own namespace, and one namespace for each name with a line to it."""

    def __init__(self, names: tuple[str, ...]):
        self.mark = secrets.token_hex(3)
        self.names = names
        self.subnet = f"10.{100 + secrets.randbelow(100)}.{secrets.randbelow(250)}"

    def up(self) -> None:
        ip("netns", "add", self.space("sw"))
        ip("-n", self.space("sw"), "link", "add", "br0", "type", "bridge")
        ip("-n", self.space("sw"), "link", "set", "br0", "up")
        for name in self.names:
            ip("netns", "add", self.space(name))
            ip("-n", self.space("sw"), "link", "add", f"p-{name}", "type", "veth", "peer", "name", "eth0",
               "netns", self.space(name))
            ip("-n", self.space("sw"), "link", "set", f"p-{name}", "master", "br0", "up")
            ip("-n", self.space(name), "addr", "add", f"{self.address(name)}/24", "dev", "eth0")
            for link in ("eth0", "lo"):
                ip("-n", self.space(name), "link", "set", link, "up")

    def down(self) -> None:
        for name in (*self.names, "sw"):
            subprocess.run(["ip", "netns", "del", self.space(name)], capture_output=True, check=False)

    def space(self, name: str) -> str:
        return f"bh{self.mark}-{name}"

    def address(self, name: str) -> str:
        return f"{self.subnet}.{self.names.index(name) + 1}"

    def inside(self, name: str) -> list[str]:
        """The words before a command that is to run there. Not `ip netns exec`: that hides the control groups."""
        return ["nsenter", f"--net=/run/netns/{self.space(name)}"]

    def cut(self, name: str) -> None:
        ip("-n", self.space("sw"), "link", "set", f"p-{name}", "down")

    def mend(self, name: str) -> None:
        ip("-n", self.space("sw"), "link", "set", f"p-{name}", "up")


class Member(Instance):
    """Instance with every process in a namespace of the network."""

    def __init__(self, root: Path, network: Network, name: str, **changes: str):
        super().__init__(root, **changes)
        self.network, self.name = network, name

    def command(self, name: str) -> list[str]:
        return [*self.network.inside(self.name), *super().command(name)]

    def run_here(self, *words: str, text: str = "", timeout: float = 60) -> subprocess.CompletedProcess:
        """One command in this member's namespace and environment, to its end."""
        return subprocess.run([*self.network.inside(self.name), *words], cwd=PROJECT, env=self.environment, input=text,
                              capture_output=True, text=True, timeout=timeout, check=False)


class Site(Member):
    """The site: Redis, web, worker with its timers, and the driver."""

    def __init__(self, root: Path, network: Network):
        self.at = network.address("site")
        password = secrets.token_hex(16)
        super().__init__(root, network, "site", BULKHEAD_WORKERS_AT=f"{self.at}:{BUS_PORT}",
                         BULKHEAD_ALLOWED_HOSTS=f"{self.at},127.0.0.1", BULKHEAD_ORIGIN=f"http://{self.at}:{WEB_PORT}",
                         BULKHEAD_CONTENT_DIRS=str(CONTENT), BULKHEAD_SESSIONS_MAXIMUM="20", BULKHEAD_HOST_SILENT_SECONDS="9",
                         DJANGO_SETTINGS_MODULE="labsite.settings")
        self.environment["BULKHEAD_REDIS_URL"] = f"unix://:{password}@{self.run}/redis.sock?db=0"
        self.password = password

    def command(self, name: str) -> list[str]:
        if name == "driver":
            return [*self.network.inside("site"), sys.executable, "-m", "tests.faults.driver"]
        if name == "web":
            return [*self.network.inside("site"), sys.executable, "-m", "daphne", "-b", self.at, "-p", str(WEB_PORT),
                    "labsite.asgi:application"]
        if name == "redis":
            files = self.state / "redis"
            return [*super().command("redis"), "--bind", "*", "--tls-port", str(BUS_PORT), "--tls-auth-clients", "yes",
                    "--tls-ca-cert-file", str(files / "bus-ca.pem"), "--tls-cert-file", str(files / "bus-cert.pem"),
                    "--tls-key-file", str(files / "bus-key.pem"), "--aclfile", str(files / "users.acl")]
        return super().command(name)

    def bus(self) -> redis.Redis:
        return redis.Redis.from_url(self.environment["BULKHEAD_REDIS_URL"], socket_timeout=5)

    def redis_answers(self) -> bool:
        with contextlib.suppress(redis.RedisError), self.bus() as bus:
            return bool(bus.ping())
        return False

    def site_answers(self) -> bool:
        done = self.run_here(sys.executable, "-c", "import sys, urllib.request as u; u.urlopen(sys.argv[1], timeout=3)",
                             f"{self.url}/healthz")
        return done.returncode == 0

    @property
    def url(self) -> str:
        return f"http://{self.at}:{WEB_PORT}"

    def up(self) -> None:
        self.prepare()
        self.manage("bus_files", str(self.state / "redis"))
        self.start("redis", "web", "worker")
        self.drive()

    def drive(self) -> None:
        self.driver = subprocess.Popen(self.command("driver"), cwd=PROJECT, env=self.environment, text=True,
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                       stderr=(self.root / "driver.log").open("ab"), start_new_session=True)

    def call(self, command: str, *arguments: Any) -> Any:
        """One command of tests/faults/driver.py; RuntimeError with what it says if it failed."""
        self.driver.stdin.write(json.dumps([command, arguments]) + "\n")
        self.driver.stdin.flush()
        answer = json.loads(self.driver.stdout.readline() or '{"error": "the driver has ended"}')
        if "error" in answer:
            raise RuntimeError(f"{command}{arguments}: {answer['error']}\n{self.log('driver')}")
        return answer["ok"]

    def token(self, *arguments: str) -> str:
        return self.manage("worker", "token", *arguments).strip()

    def down(self) -> None:
        with contextlib.suppress(ProcessLookupError, AttributeError):
            os.killpg(self.driver.pid, signal.SIGKILL)
            self.driver.wait(10)
        self.stop()


class Host(Member):
    """A worker host: it shares nothing with the site but the line, and with this machine the built images."""

    def __init__(self, root: Path, network: Network, name: str, slot_base: int, **changes: str):
        super().__init__(root, network, name, BULKHEAD_SLOT_BASE=str(slot_base), BULKHEAD_CAPACITY="4",
                         BULKHEAD_HOST=name, **changes)
        for gone in ("BULKHEAD_REDIS_URL", "BULKHEAD_SECRET_KEY", "BULKHEAD_ORIGIN"):
            del self.environment[gone]
        (self.state / "agent").mkdir(parents=True)
        self.run.mkdir(parents=True)
        if not (CACHE / "agent" / "images").exists():
            raise StartError(f"no images under {CACHE}: sudo ./lab test builds them")
        (self.state / "agent" / "images").symlink_to(CACHE / "agent" / "images")

    def agent(self, *words: str, text: str = "") -> subprocess.CompletedProcess:
        return self.run_here(sys.executable, "-m", "runtime_agent", *words, text=text)

    def join(self, url: str, token: str) -> subprocess.CompletedProcess:
        return self.agent("join", "join", url, "--name", self.name, text=token + "\n")

    @property
    def settings(self) -> settings.Settings:
        return settings.load(self.environment)

    def living(self) -> dict[str, int]:
        """session id -> pid of the first process, of every sandbox that lives here."""
        return {box.spec.session_id: box.init_pid for box in sandbox.living(self.settings)}

    def power_off(self) -> None:
        """Everything of this host dies at once: its agent, its sandboxes, and the line."""
        self.network.cut(self.name)
        for name in [name for name in ("control", "bridge", "tunnel") if name in self.children]:
            self.kill(name)
        for pid in cgroup.Group(self.environment["BULKHEAD_CGROUP"]).pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not self.living(), 20, f"{self.name} to be dead")

    def down(self) -> None:
        self.stop()


class Fleet:
    """The site, its hosts, and the network between them."""

    def __init__(self, root: Path, names: tuple[str, ...] = HOSTS):
        self.network = Network(("site", *names))
        self.site = Site(root / "site", self.network)
        base = 21_000 + secrets.randbelow(80) * SLOTS_PER_HOST * 4
        self.hosts = {name: Host(root / name, self.network, name, base + number * SLOTS_PER_HOST)
                      for number, name in enumerate(names)}

    def up(self) -> None:
        self.network.up()
        self.site.up()
        for host in self.hosts.values():
            done = host.join(self.site.url, self.site.token())
            assert done.returncode == 0, done.stdout + done.stderr
            host.start("control")
        self.wait_for_hosts(*self.hosts)

    def wait_for_hosts(self, *names: str, silent: bool = False, seconds: float = 60) -> None:
        wait_until(lambda: all(self.site.call("hosts").get(name, {}).get("is_silent", True) is silent for name in names),
                   seconds, f"{names} to be {'silent' if silent else 'heard'}")

    def start(self, name: str) -> str:
        return self.site.call("start", name)

    def wait_state(self, session_id: str, *states: str, seconds: float = 60, **fields: Any) -> dict[str, Any]:
        """The row once it is in one of the states with these fields; AssertionError with all logs if it never is."""
        def found() -> dict[str, Any] | None:
            row = self.site.call("look", session_id)
            return row if row["state"] in states and fields.items() <= row.items() else None
        try:
            return wait_until(found, seconds, f"{states} {fields}")
        except TimeoutError as error:
            raise AssertionError(f"{error}; it is {self.site.call('look', session_id)}\n{self.logs()}") from None

    def places_of(self, session_id: str) -> list[str]:
        """The hosts on which a sandbox of this session lives: never more than one that the site means."""
        return [name for name, host in self.hosts.items() if session_id in host.living()]

    def wait_wish(self, *names: str, seconds: float = 30) -> None:
        """Until these hosts have said that they know what is wanted of them."""
        def is_known(name: str) -> bool:
            with self.site.bus() as bus:
                wish = json.loads(bus.get(fleet.wish_key(name)) or "{}")
                line = json.loads(bus.hget(protocol.HOSTS_KEY, name) or "{}")
            row = self.site.call("hosts")[name]
            return line.get("wish") == wish.get("generation") and line.get("is_open") is (row["wish"] == "open")
        try:
            wait_until(lambda: all(is_known(name) for name in names), seconds, f"{names} to know their wish")
        except TimeoutError as error:
            raise AssertionError(f"{error}\n{self.logs()}") from None

    @contextlib.contextmanager
    def held(self, name: str) -> Iterator[None]:
        """Stop a host's agent for a while: what Redis hands it meanwhile lies in its socket, taken and not worked."""
        pid = self.hosts[name].children["control"].pid
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def end_all(self) -> None:
        """End every session and wait until nothing lives anywhere."""
        for session_id, row in self.site.call("every").items():
            if row["state"] in ("queued", "starting", "ready"):
                self.site.call("end", session_id, False)
        wait_until(lambda: not any(host.living() for host in self.hosts.values()), 90, "the last sandbox to go")

    def note(self, what: str, seconds: float) -> None:
        print(f"{what}: {seconds:.1f} s", flush=True)

    def logs(self) -> str:
        return "\n".join(f"--- {name}\n{host.log('control')}" for name, host in self.hosts.items()
                         if (host.root / "control.log").exists()) + f"\n--- worker\n{self.site.log('worker')}"

    def down(self) -> None:
        for host in self.hosts.values():
            with contextlib.suppress(subprocess.SubprocessError):
                self.network.mend(host.name)
            host.down()
        self.site.down()
        self.network.down()


@contextlib.contextmanager
def running(root: Path, names: tuple[str, ...] = HOSTS) -> Iterator[Fleet]:
    """A fleet that is up, and gone with everything it made."""
    found = Fleet(root, names)
    try:
        found.up()
        yield found
    finally:
        found.down()
