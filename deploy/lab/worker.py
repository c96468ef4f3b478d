"""`./lab worker`: a machine that runs sandboxes for a site elsewhere. And `./lab prepare`, for container images.

On such a machine: ``join`` (once, with a token), ``run`` (every time), ``leave``. On the site's: ``token``, ``list``,
``cordon``, ``drain``, ``open``, ``remove``. A host that has not joined can still be run with BULKHEAD_REDIS_URL and a
copy of the published labs, as the containers of docker-compose.yml do.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import urllib.error
import urllib.request

from deploy.lab import down, ground, host, images, packages, programs, running, services, supervisor, table, units, up
from deploy.lab.places import Places, SetupError, find, is_root

COMMON = [name for name in packages.SITE if name != "redis-server"]
PARTS = {"site": COMMON, "worker": [*COMMON, *packages.WORKER]}
"""Redis is a part of its own here."""
HERE, AT_THE_SITE = ("run", "join", "leave"), ("token", "list", "cordon", "drain", "open", "remove")


def arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("action", nargs="?", default="run", choices=(*HERE, *AT_THE_SITE), help="default: run")
    command.add_argument("target", nargs="?", metavar="URL|NAME", help="join: the site's address; cordon, drain, ...: a host")
    command.add_argument("--token", help="join: the one-time token of the operator page; - reads it from standard input")
    command.add_argument("--name", help="join: the host's name at the site, default: this machine's")
    command.add_argument("--minutes", type=int, help="token: how long it is good, default 60")
    command.add_argument("--force", action="store_true", help="leave: even with sandboxes here, or without the site")


def worker(asked: argparse.Namespace) -> int:
    if not is_root():
        raise SetupError(f"worker hosts need root: sudo ./lab worker {asked.action}")
    if asked.action in AT_THE_SITE:
        return _at_the_site(asked)
    return {"run": run, "join": join, "leave": leave}[asked.action](asked)


def join(asked: argparse.Namespace) -> int:
    """Look whether the site is there, set this machine up, and let the agent join."""
    if not asked.target or not asked.token:
        raise SetupError("./lab worker join URL --token TOKEN: both stand on the site's operator page")
    _reach(asked.target)
    places = find()
    _look(places)
    prepare("worker")
    token = sys.stdin.readline() if asked.token == "-" else asked.token
    named = ["--name", asked.name] if asked.name else []
    return _agent(places, ["join", "join", asked.target, *named], token + "\n")


def leave(asked: argparse.Namespace) -> int:
    places = find()
    if not places.python.exists():
        raise SetupError("nothing is set up on this machine")
    if running.running_pid(places):
        raise SetupError("the agent still runs here: ./lab down stops it")
    if units.are_installed():
        raise SetupError("the agent starts with this machine: sudo ./lab uninstall stops it and takes its units away; then leave")
    if failed := _agent(places, ["join", "leave", *(["--force"] if asked.force else [])], ""):
        return failed
    print("Ending what sandboxes are still here", flush=True)
    return down.reap(places, "--all")


def run(asked: argparse.Namespace) -> int:
    """Run bridge, tunnel and control until SIGTERM; students' sandboxes stay."""
    places = find()
    if not services.has_joined(places) and not os.environ.get("BULKHEAD_REDIS_URL"):
        raise SetupError("this machine has not joined a site: ./lab worker join URL --token TOKEN "
                         "(or name the site's Redis in BULKHEAD_REDIS_URL)")
    if pid := running.running_pid(places):
        raise SetupError(f"Bulkhead runs already here (pid {pid}): ./lab down stops it")
    if units.are_running():
        raise SetupError(f"Bulkhead runs already here, from systemd: systemctl stop {units.TARGET} stops it until the next boot")
    make_ready(places)
    return asyncio.run(_serve(places))


def make_ready(places: Places) -> None:
    """All that the agent needs before it starts: programs, its site's labs and recipes, the image `base`."""
    _look(places)
    prepare("worker")
    if services.has_joined(places) and _agent(places, ["fetch-labs"], ""):
        raise SetupError("the site's labs are not here; the reason stands above")
    images.build(places, [images.BASE])


def prepare(part: str) -> int:
    """Install packages and programs, for the site its pages too, without looking at the machine, secrets or images."""
    if not is_root():
        raise SetupError("packages and programs are installed by root: sudo ./lab prepare")
    places = find()
    packages.install(PARTS[part])
    ground.make_user()
    ground.make_folders(places)
    programs.prepare(places, with_pages=part == "site")
    return 0


async def _serve(places: Places) -> int:
    environment = services.shared_environment(places)
    if not services.has_joined(places):
        environment["BULKHEAD_REDIS_URL"] = os.environ["BULKHEAD_REDIS_URL"]
    watched = supervisor.Supervisor(places, services.agent(places, environment), sys.stdout)

    async def when_up(watched: supervisor.Supervisor) -> None:
        watched.say("lab", f"worker host {services.host_name(places)} is up")
        images.build_later(places)

    return await watched.run(when_up, when_down=lambda: down.reap(places))


def _at_the_site(asked: argparse.Namespace) -> int:
    """manage.py knows; who calls it is the site's user."""
    places = find()
    if not (places.state / "secrets.env").exists():
        raise SetupError(f"there is no site on this machine: run ./lab worker {asked.action} where the site runs")
    address = services.take_settings(places)
    minutes = ["--minutes", str(asked.minutes)] if asked.minutes else []
    target = [asked.target] if asked.target else []
    try:
        print(up.manage(places, address, ["worker", asked.action, *target, *minutes]).strip())
    except SetupError as error:
        raise SetupError(str(error).partition("CommandError: ")[2].strip() or str(error)) from None
    return 0


def _reach(url: str) -> None:
    """Before anything is installed: is there a site?"""
    if not url.startswith(("http://", "https://")):
        raise SetupError(f"{url!r} is no address of a site: write it as https://labs.example.org")
    try:
        with urllib.request.urlopen(f"{url.rstrip('/')}/healthz", timeout=10) as answer:  # noqa: S310  (seen to be http)
            if answer.status == 200:
                return
        raise SetupError(f"{url} answered with status {answer.status}: it is no Bulkhead site")
    except urllib.error.HTTPError as error:
        hint = "it does not know itself by that name: BULKHEAD_ALLOWED_HOSTS" if error.code == 400 else "it is no Bulkhead site"
        raise SetupError(f"{url} answered with status {error.code}: {hint}. Nothing was changed here") from None
    except (urllib.error.URLError, OSError) as error:
        raise SetupError(f"{url} can't be reached from this machine: {getattr(error, 'reason', error)}. "
                         "Nothing was changed here") from None


def _look(places: Places) -> None:
    rows = [row for row in host.look(places, 0, "127.0.0.1", PARTS["worker"]) if row.name != "Port"]
    table.show(rows)
    if any(row.state == "can't" for row in rows):
        raise SetupError("set-up has changed nothing: see the lines marked can't")


def _agent(places: Places, arguments: list[str], text: str) -> int:
    return subprocess.run([str(places.python), "-m", "runtime_agent", *arguments], cwd=places.project, input=text, text=True,
                          env=services.shared_environment(places), check=False).returncode
