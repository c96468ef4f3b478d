"""The processes of a running site: their commands, and the environment each gets and no more.

Only the agent's two run as root. Secrets go to the processes that need them: the agent, which starts sandboxes,
gets none.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from deploy.lab import ground
from deploy.lab.places import Places, is_root

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PASSED_ON = ("LANG", "TZ", "BULKHEAD_CAPACITY", "BULKHEAD_WARM", "BULKHEAD_HOST", "BULKHEAD_CGROUP", "BULKHEAD_RUNTIME",
             "BULKHEAD_SLOT_BASE", "BULKHEAD_KEPT_GIB", "BULKHEAD_POINTS_GIB", "BULKHEAD_STANDARD_RUNTIME", "BULKHEAD_LOG_FORMAT",
             "BULKHEAD_METRICS_PORT")
SITE_ONLY = ("BULKHEAD_DATABASE_URL", "BULKHEAD_CONTENT_DIRS", "BULKHEAD_SIGNUP_OPEN", "BULKHEAD_TIME_ZONE",
             "BULKHEAD_SESSIONS_MAXIMUM", "BULKHEAD_SESSION_KEPT_DAYS", "BULKHEAD_SESSION_KEPT_MIB",
             "BULKHEAD_PREVIEW_HOST", "BULKHEAD_METRICS_TOKEN", "BULKHEAD_SYNTHETIC_MINUTES", "BULKHEAD_SYNTHETIC_LESSON",
             "BULKHEAD_SYNTHETIC_URL", "BULKHEAD_HOST_HOUR_PRICE", "BULKHEAD_SENTRY_DSN", "BULKHEAD_LOG_LEVEL")


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
    return {"PATH": PATH, "LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1", **found,
            "BULKHEAD_STATE_DIR": str(places.state), "BULKHEAD_RUN_DIR": str(places.run),
            "BULKHEAD_REDIS_URL": f"unix://{places.socket}?db=0"}


def site_environment(places: Places, address: str) -> dict[str, str]:
    """For manage.py, daphne and the web worker. ``address`` is what browsers type, e.g. http://127.0.0.1:8000."""
    host = address.partition("://")[2].rpartition(":")[0]
    found = {name: os.environ[name] for name in SITE_ONLY if name in os.environ}
    return {**shared_environment(places), **ground.read_secrets(places), **found,
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
            "--dir", str(places.state / "redis"), "--appendonly", "yes", "--save", "", "--loglevel", "warning"]
