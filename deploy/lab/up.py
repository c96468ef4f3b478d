"""`./lab up`: from a bare machine to a served site, and then its supervisor."""

from __future__ import annotations

import asyncio
import os
import time
import urllib.error
import urllib.request
from pathlib import Path

from deploy.lab import down, ground, host, images, packages, programs, running, services, supervisor, table
from deploy.lab.places import Places, SetupError, find, is_root, user_ids

SERVING_SECONDS = 60.0


def wanted_packages(*, tests: bool = False) -> list[str]:
    return packages.SITE + (packages.WORKER if is_root() else []) + (packages.TESTS if tests else [])


def check_and_prepare(places: Places, *, port: int, listen: str, tests: bool = False) -> None:
    """Look first and print what was found; only if nothing stands against it, change the machine."""
    rows = host.look(places, port, listen, wanted_packages(tests=tests))
    table.show(rows)
    if any(row.state == "can't" for row in rows):
        raise SetupError("set-up has changed nothing: see the lines marked can't")
    if is_root():
        packages.install(wanted_packages(tests=tests))
    ground.prepare(places)
    programs.prepare(places)


def up(port: int, listen: str) -> int:
    """Set up what is missing, then serve until Ctrl-C."""
    places = find()
    if services.has_joined(places):
        raise SetupError("this machine is a worker host of another site: ./lab worker run runs it, ./lab worker leave ends that")
    if pid := running.running_pid(places):
        raise SetupError(f"Bulkhead runs already here (pid {pid}): ./lab down stops it")
    check_and_prepare(places, port=port, listen=listen)
    address = services.address(listen, port)
    services.note_settings(places, address)
    print("Preparing database, static files and course", flush=True)
    print(manage(places, address, ["prepare_site"]).strip(), flush=True)
    open_to_workers(places, address)
    if is_root():
        images.build(places, [images.BASE])
    return asyncio.run(serve(places, listen, port))


def open_to_workers(places: Places, address: str) -> None:
    """With BULKHEAD_WORKERS_AT: what Redis needs to serve worker hosts."""
    services.open_bus(places)
    if at := os.environ.get("BULKHEAD_WORKERS_AT"):
        manage(places, address, ["bus_files", str(places.state / "redis")])
        print(f"Worker hosts may join: they reach Redis at {at}", flush=True)


async def serve(places: Places, listen: str, port: int) -> int:
    address = services.address(listen, port)
    with (places.state / "log" / "bulkhead.log").open("a") as log:
        watched = supervisor.Supervisor(places, services.every(places, listen, port), log)

        async def when_up(_: supervisor.Supervisor) -> None:
            link, _ = await asyncio.gather(
                asyncio.to_thread(manage, places, address, ["signin_link", "--create-admin"]),
                asyncio.to_thread(wait_until_served, address))
            typed = services.typed(address)
            print(f"\nBulkhead is at {typed}\nSign in once, as its administrator: {typed}{link.strip()}\n"
                  f"Log: {log.name}   Stop: Ctrl-C\n", flush=True)
            if not is_root():
                print("Labs are marked \"no worker on this machine\". This adds one: sudo ./lab up\n", flush=True)
            images.build_later(places)

        return await watched.run(when_up, when_down=lambda: down.reap(places))


def manage(places: Places, address: str, arguments: list[str]) -> str:
    """manage.py as the unprivileged user."""
    return programs.run([places.python, places.project / "manage.py", *arguments], as_user=True,
                        environment=services.site_environment(places, address), cwd=places.project)


def wait_until_served(address: str) -> None:
    """It knows itself by 127.0.0.1 wherever it listens and whatever names it was given for browsers."""
    deadline = time.monotonic() + SERVING_SECONDS
    asked = urllib.request.Request(f"{address}/healthz", headers={"Host": "127.0.0.1"})  # noqa: S310  (our own address)
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(asked, timeout=2) as answer:  # noqa: S310
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise SetupError("the site does not answer; its log says why")


def chown_to_user(folder: Path) -> None:
    """Give a folder of the tests to the unprivileged user."""
    owner = user_ids()
    if owner:
        os.chown(folder, *owner)
