"""The processes of a running site: their commands, and the environment each gets and no more.

Only the agent's two run as root. Secrets go to the processes that need them: the agent, which starts sandboxes,
gets none.
"""

from __future__ import annotations

import hmac
import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from deploy.lab import ground
from deploy.lab.places import Places, is_root

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PASSED_ON = ("LANG", "TZ", "BULKHEAD_CAPACITY", "BULKHEAD_WARM", "BULKHEAD_HOST", "BULKHEAD_CGROUP", "BULKHEAD_RUNTIME",
             "BULKHEAD_SLOT_BASE", "BULKHEAD_KEPT_GIB", "BULKHEAD_POINTS_GIB", "BULKHEAD_STANDARD_RUNTIME", "BULKHEAD_LOG_FORMAT",
             "BULKHEAD_METRICS_PORT", "BULKHEAD_LABELS")
SITE_ONLY = ("BULKHEAD_DATABASE_URL", "BULKHEAD_CONTENT_DIRS", "BULKHEAD_SIGNUP_OPEN", "BULKHEAD_TIME_ZONE",
             "BULKHEAD_SESSIONS_MAXIMUM", "BULKHEAD_SESSION_KEPT_DAYS", "BULKHEAD_SESSION_KEPT_MIB",
             "BULKHEAD_PREVIEW_HOST", "BULKHEAD_METRICS_TOKEN", "BULKHEAD_SYNTHETIC_MINUTES", "BULKHEAD_SYNTHETIC_LESSON",
             "BULKHEAD_SYNTHETIC_URL", "BULKHEAD_HOST_HOUR_PRICE", "BULKHEAD_SENTRY_DSN", "BULKHEAD_LOG_LEVEL",
             "BULKHEAD_WORKERS_AT", "BULKHEAD_HOST_SILENT_SECONDS", "BULKHEAD_SESSION_OVERDUE_SECONDS",
             "BULKHEAD_SESSION_NUDGE_SECONDS", "BULKHEAD_SESSION_ORPHANED_SECONDS", "BULKHEAD_EMAIL_BACKEND",
             "BULKHEAD_EMAIL_VERIFICATION")
EVERY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104  (what an operator may write)


@dataclass(frozen=True)
class Service:
    """One supervised process. ``waits_for`` is a file that must exist before the next service starts."""

    name: str
    command: list[str]
    environment: dict[str, str]
    as_root: bool = False
    waits_for: Path | None = None


def shared_environment(places: Places) -> dict[str, str]:
    """What every process of ours needs to find the others."""
    found = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    if has_joined(places):
        found["BULKHEAD_RECIPES_DIR"] = str(places.state / "agent/recipes/current")
    if not bus_url_file(places).exists():  # else the agent reads it there, and no environment holds its password
        found["BULKHEAD_REDIS_URL"] = f"unix://{places.socket}?db=0"
    return {"PATH": PATH, "LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1", **found,
            "BULKHEAD_STATE_DIR": str(places.state), "BULKHEAD_RUN_DIR": str(places.run)}


def has_joined(places: Places) -> bool:
    """Is this machine a worker host of a site elsewhere?"""
    return is_root() and (places.state / "agent/site/site.json").exists()


def host_name(places: Places) -> str:
    """What the agent here calls itself: the name under which it has joined, if it has."""
    if has_joined(places):
        return json.loads((places.state / "agent/site/site.json").read_text())["name"]
    return os.environ.get("BULKHEAD_HOST") or os.uname().nodename


def bus_url_file(places: Places) -> Path:
    return places.state / "agent/site/bus-url"


def bus_url(places: Places) -> str:
    """The site's own way to its Redis: with a password as soon as other machines can reach it."""
    if not os.environ.get("BULKHEAD_WORKERS_AT"):
        return f"unix://{places.socket}?db=0"
    key = ground.read_secrets(places)["BULKHEAD_SECRET_KEY"]
    password = hmac.new(key.encode(), b"bulkhead bus password 1", "sha256").hexdigest()
    return f"unix://:{password}@{places.socket}?db=0"


def site_environment(places: Places, address: str) -> dict[str, str]:
    """For manage.py, daphne and the web worker. ``address`` is what browsers type, e.g. http://127.0.0.1:8000."""
    names = names_of(address.partition("://")[2].rpartition(":")[0])
    found = {name: os.environ[name] for name in SITE_ONLY if name in os.environ}
    return {**shared_environment(places), **ground.read_secrets(places), **found,
            "BULKHEAD_REDIS_URL": bus_url(places),
            "HOME": str(places.state / "web"), "BULKHEAD_STATIC_DIR": str(places.state / "static"),
            "BULKHEAD_SYNTHETIC_URL": os.environ.get("BULKHEAD_SYNTHETIC_URL", address),
            "BULKHEAD_ORIGIN": typed(address),
            "BULKHEAD_ALLOWED_HOSTS": os.environ.get("BULKHEAD_ALLOWED_HOSTS", ",".join(names))}


def note_settings(places: Places, address: str, *, by_units: bool = False) -> None:
    """What this site was started with, for the commands beside it: they must mean the same database and the same Redis.
    ``by_units``: it also reads ``settings.env``, whatever will stand there."""
    names = (*PASSED_ON, *SITE_ONLY, "BULKHEAD_ORIGIN", "BULKHEAD_ALLOWED_HOSTS")
    found = {"address": address, "by_units": by_units,
             "settings": {name: os.environ[name] for name in names if name in os.environ}}
    file = _started_with(places)
    file.unlink(missing_ok=True)
    with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as handle:
        json.dump(found, handle)


def take_settings(places: Places) -> str:
    """Let this process mean the site that was started here last, where its own environment says nothing else; its address."""
    if has_joined(places) or not _started_with(places).exists():
        return "http://127.0.0.1:8000"
    found = json.loads(_started_with(places).read_text())
    further = further_settings(places) if found.get("by_units") else {}
    for name, value in {**found["settings"], **further}.items():
        os.environ.setdefault(name, value)
    return found["address"]


def further_settings(places: Places) -> dict[str, str]:
    """What the operator has put into ``settings.env``, as the units read it: EnvironmentFile= of systemd.exec(5), a line each."""
    file = places.state / "settings.env"
    lines = [line.strip() for line in file.read_text().splitlines()] if file.exists() else []
    pairs = [line.split("=", 1) for line in lines if "=" in line and line[0] not in "#;"]
    return {name.strip(): _unquoted(value.strip()) for name, value in pairs}


def _unquoted(value: str) -> str:
    if len(value) < 2 or value[0] not in "\"'" or value[-1] != value[0]:
        return value
    return re.sub(r'\\([\\"$`])', r"\1", value[1:-1]) if value[0] == '"' else value[1:-1]


def _started_with(places: Places) -> Path:
    return places.state / "started-with.json"


def address(listen: str, port: int) -> str:
    """What browsers and worker hosts type for a site that listens there. Nobody can type 0.0.0.0: it stands for every
    address of this machine, and the one that worker hosts are told, or else its first, is as good as any."""
    if listen in EVERY_ADDRESS:
        told = os.environ.get("BULKHEAD_WORKERS_AT", "").rpartition(":")[0]
        listen = told or next(iter(own_addresses()), "127.0.0.1")
    return f"http://{_in_url(listen)}:{port}"


def typed(address: str) -> str:
    """What people type for a site that is served at ``address``: its proxy's, if it has one."""
    return os.environ.get("BULKHEAD_ORIGIN", address)


def names_of(host: str) -> list[str]:
    """The names by which a site may be asked for: this machine's other ones too, unless it is for this machine only."""
    here = ["127.0.0.1", "localhost"]
    others = [] if host in here else [host, *map(_in_url, own_addresses()), os.uname().nodename.lower()]
    return list(dict.fromkeys([*others, *here]))


def own_addresses() -> list[str]:
    """But loopback's, as hostname(1) says."""
    done = subprocess.run(["hostname", "-I"], capture_output=True, text=True, check=False)
    return done.stdout.split()


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def every(places: Places, listen: str, port: int) -> list[Service]:
    """All services in the order in which they start; they stop in the reverse one."""
    python, site = str(places.python), site_environment(places, address(listen, port))
    services = [
        Service("redis", redis_command(places), shared_environment(places), waits_for=places.socket),
        Service("web", [python, "-m", "daphne", "-b", listen, "-p", str(port), "--no-server-name", "-v", "0",
                        "--websocket_connect_timeout", "60", "labsite.asgi:application"], site),
        Service("worker", [python, "-m", "celery", "-q", "-A", "labsite", "worker", "-B", "-Q", "web", "-P", "threads",
                           "-c", "4",
                           "-s", str(places.state / "web" / "beat"), "--without-gossip", "--without-mingle",
                           "-l", "INFO"], site)]
    return services + (agent(places, shared_environment(places)) if is_root() else [])


def agent(places: Places, environment: dict[str, str]) -> list[Service]:
    """The three processes of a worker host."""
    return [Service(name, [str(places.python), "-m", "runtime_agent", name], environment, as_root=True)
            for name in ("bridge", "tunnel", "control")]


def redis_command(places: Places) -> list[str]:
    """Redis on a unix socket only, with an append-only file so that a killed one forgets at most a second."""
    server = next((path for name in ("redis-server", "valkey-server") if (path := shutil.which(name, path=PATH))), None)
    if server is None:
        from deploy.lab.places import SetupError
        raise SetupError("there is no redis-server here: sudo apt-get install redis-server")
    return [server, "--port", "0", "--unixsocket", str(places.socket), "--unixsocketperm", "770",
            "--dir", str(places.state / "redis"), "--appendonly", "yes", "--save", "", "--loglevel", "warning",
            *redis_for_workers(places)]


def redis_for_workers(places: Places) -> list[str]:
    """With BULKHEAD_WORKERS_AT: TLS on that port, for clients with a certificate of the site's, and users with rules
    (labs/management/commands/bus_files.py has written the files)."""
    address = os.environ.get("BULKHEAD_WORKERS_AT", "")
    if not address:
        return []
    folder = places.state / "redis"
    return ["--bind", "*", "-::*", "--tls-port", address.rpartition(":")[2], "--tls-auth-clients", "yes",
            "--tls-protocols", "TLSv1.3", "--tls-ca-cert-file", str(folder / "bus-ca.pem"),
            "--tls-cert-file", str(folder / "bus-cert.pem"), "--tls-key-file", str(folder / "bus-key.pem"),
            "--aclfile", str(folder / "users.acl")]


def open_bus(places: Places) -> None:
    """Give the local agent its way to Redis, in a file of root's, or take it away where there is no password."""
    if not is_root() or has_joined(places):
        return
    file = bus_url_file(places)
    if not os.environ.get("BULKHEAD_WORKERS_AT"):
        file.unlink(missing_ok=True)
        return
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as handle:
        handle.write(bus_url(places) + "\n")
