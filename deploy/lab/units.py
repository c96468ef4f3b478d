"""The units of systemd: written from the templates of deploy/systemd with this machine's paths, looked at, taken away.

A worker host of a site elsewhere gets the agent's only. These wait for the network where a site's wait for Redis, may
reach the site's Redis, and are tried for ever: the site may come back from a power cut later than its hosts.
"""

from __future__ import annotations

import ipaddress
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from deploy.lab import services
from deploy.lab.places import PROJECT, USER, Places, SetupError

TEMPLATES = PROJECT / "deploy" / "systemd"
UNITS = Path("/etc/systemd/system")
TMPFILES = Path("/etc/tmpfiles.d/bulkhead.conf")
TARGET = "bulkhead.target"
REDIS = "bulkhead-redis.service"
SITE = ("bulkhead-web.service", "bulkhead-worker.service")
AGENT = ("bulkhead-bridge.service", "bulkhead-tunnel.service", "bulkhead-control.service")
EVERY = (REDIS, *SITE, *AGENT)


def write_site(places: Places, listen: str, port: int, root: Path = Path("/")) -> None:
    """Units, environment files and tmpfiles entry of a site and its own agent, below ``root``."""
    _write(places, EVERY, root, {"@LISTEN@": listen, "@PORT@": str(port), "@REDIS@": services.redis_command(places)[0],
                                 "@AFTER@": REDIS, "@FIRST@": "", "@BUS@": "localhost",
                                 "@LIMIT_SECONDS@": "10", "@AGAIN_SECONDS@": "0.1"})
    site = services.site_environment(places, services.address(listen, port))
    _put(root, places.state / "site.env", environment_file(site), 0o600)


def write_worker_host(places: Places, root: Path = Path("/")) -> None:
    """The same of a worker host that has joined a site. Its labs are looked after before the agent serves."""
    _write(places, AGENT, root, {"@AFTER@": "network-online.target", "@FIRST@": f"{places.python} -m runtime_agent fetch-labs",
                                 "@BUS@": bus_addresses(places), "@LIMIT_SECONDS@": "0", "@AGAIN_SECONDS@": "2"})


def bus_addresses(places: Places) -> str:
    """IPAddressAllow= for the Redis of the site, over which labs and recipes come too. A name may lead elsewhere
    tomorrow, and servers of names must answer: then it is every address."""
    host = urlsplit(services.bus_url_file(places).read_text().strip()).hostname or ""
    try:
        return f"localhost {ipaddress.ip_address(host)}"
    except ValueError:
        return "any"


def environment_file(environment: dict[str, str]) -> str:
    """EnvironmentFile= of systemd.exec(5): values in double quotes, with backslashes before what means something there."""
    def quoted(value: str) -> str:
        for special in ("\\", '"', "$", "`"):
            value = value.replace(special, "\\" + special)
        return f'"{value}"'
    return "".join(f"{name}={quoted(value)}\n" for name, value in sorted(environment.items()))


def start(*, is_upgrade: bool) -> None:
    """Now and at every boot. In an upgrade the agent begins anew with the new code; its sandboxes run on."""
    systemctl("daemon-reload")
    systemctl("enable", "--now", TARGET)
    if is_upgrade:
        systemctl("try-restart", *AGENT)


def remove() -> None:
    """Stop and take away what is here of ours."""
    subprocess.run(["systemctl", "disable", "--now", TARGET], check=False)
    for name in EVERY:
        if (UNITS / name).exists():
            subprocess.run(["systemctl", "stop", name], check=False)
    for name in (*EVERY, TARGET):
        (UNITS / name).unlink(missing_ok=True)
    TMPFILES.unlink(missing_ok=True)
    systemctl("daemon-reload")


def are_installed() -> bool:
    return (UNITS / TARGET).exists()


def are_of_a_site() -> bool:
    return any((UNITS / name).exists() for name in SITE)


def are_running() -> bool:
    """One that waits for the site, or for its next try, counts: it would come up beside whatever is started now."""
    return are_installed() and not {"inactive", "failed"}.issuperset(states(EVERY))


def states(names: Sequence[str]) -> list[str]:
    """ActiveState of systemctl(1): active, activating, inactive, failed, ..."""
    done = subprocess.run(["systemctl", "show", "--property=ActiveState", "--value", *names], capture_output=True, text=True,
                          check=False)
    return done.stdout.split()


def systemctl(*arguments: str) -> None:
    done = subprocess.run(["systemctl", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SetupError(f"systemctl {' '.join(arguments)}: {done.stderr.strip()}")


def _write(places: Places, names: Sequence[str], root: Path, values: dict[str, str]) -> None:
    values = {**values, "@PYTHON@": str(places.python), "@PROJECT@": str(places.project), "@STATE@": str(places.state),
              "@RUN@": str(places.run), "@UNITS@": " ".join(names)}
    for name in (*names, TARGET):
        text = (TEMPLATES / name).read_text()
        for word, value in values.items():
            text = text.replace(word, value)
        _put(root, UNITS / name, text)
    _put(root, TMPFILES, f"d {places.run} 1771 root {USER}\nd {places.run}/agent 0700 root root\n")
    _put(root, places.state / "agent.env", environment_file(services.shared_environment(places)), 0o600)


def _put(root: Path, path: Path, text: str, mode: int = 0o644) -> None:
    target = root / path.relative_to("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    target.chmod(mode)
