"""The processes of a running site: their commands, and the environment each gets and no more.

Only the agent's two run as root. Secrets go to the processes that need them: the agent, which starts sandboxes,
gets none.
"""

from __future__ import annotations

import hmac
import os
import shutil
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
             "BULKHEAD_WORKERS_AT", "BULKHEAD_HOST_SILENT_SECONDS")


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
    host = address.partition("://")[2].rpartition(":")[0]
    found = {name: os.environ[name] for name in SITE_ONLY if name in os.environ}
    return {**shared_environment(places), **ground.read_secrets(places), **found,
            "BULKHEAD_REDIS_URL": bus_url(places),
            "HOME": str(places.state / "web"), "BULKHEAD_STATIC_DIR": str(places.state / "static"),
            "BULKHEAD_SYNTHETIC_URL": os.environ.get("BULKHEAD_SYNTHETIC_URL", address),
            "BULKHEAD_ORIGIN": os.environ.get("BULKHEAD_ORIGIN", address),
            "BULKHEAD_ALLOWED_HOSTS": os.environ.get("BULKHEAD_ALLOWED_HOSTS", f"{host},127.0.0.1,localhost")}


def every(places: Places, listen: str, port: int) -> list[Service]:
    """All services in the order in which they start; they stop in the reverse one."""
    python, site = str(places.python), site_environment(places, f"http://{listen}:{port}")
    services = [
        Service("redis", redis_command(places), shared_environment(places), waits_for=places.socket),
        Service("web", [python, "-m", "daphne", "-b", listen, "-p", str(port), "--no-server-name", "-v", "0",
                        "labsite.asgi:application"], site),
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
