"""`./lab install` and `./lab uninstall`: what `./lab up` or `./lab worker run` runs, from systemd and at every boot.

Which of the two it is, the machine knows: it has joined a site or it has not. Only `uninstall --data` takes away what
students did.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from deploy.lab import down, ground, images, running, services, units, up, worker
from deploy.lab.places import USER, Places, SetupError, find, is_root, user_ids


def install(port: int, listen: str) -> int:
    """Set up, write the units, start them. A second time it is an upgrade: the sandboxes run on."""
    _need_systemd()
    places = find()
    if running.running_pid(places):
        raise SetupError("Bulkhead runs in the foreground here: ./lab down stops it")
    if services.has_joined(places):
        return _install_worker_host(places)
    return _install_site(places, port, listen)


def _install_site(places: Places, port: int, listen: str) -> int:
    further = services.further_settings(places)
    if os.environ.get("BULKHEAD_WORKERS_AT") or further.get("BULKHEAD_WORKERS_AT"):
        raise SetupError("BULKHEAD_WORKERS_AT works with ./lab up only: the unit of Redis opens to no other machine yet")
    services.open_bus(places)
    is_upgrade = units.are_installed()
    if units.are_of_a_site():
        units.systemctl("stop", *units.SITE)
    up.check_and_prepare(places, port=port, listen=listen)
    images.build(places, [images.BASE])
    units.write_site(places, listen, port)
    units.start(is_upgrade=is_upgrade)
    address = services.address(listen, port)
    services.note_settings(places, address, by_units=True)
    os.environ.update(further)  # from here on this process means what the units do, the same database above all
    up.wait_until_served(address)
    link = up.manage(places, address, ["signin_link", "--create-admin"]).strip()
    typed = services.typed(address)
    print(f"Bulkhead is at {typed} and starts with this machine.\n"
          f"Sign in once, as its administrator: {typed}{link}\nLogs: journalctl -u 'bulkhead-*'")
    return 0


def _install_worker_host(places: Places) -> int:
    """The agent's units. Where the site is away now they wait for it, and that is said."""
    if units.are_of_a_site():
        raise SetupError("this machine has joined a site, and the units of one of its own are here: "
                         "sudo ./lab uninstall takes them away")
    is_upgrade = units.are_installed()
    worker.make_ready(places)
    units.write_worker_host(places)
    units.start(is_upgrade=is_upgrade)
    images.build_later(places)
    if set(units.states(units.AGENT)) != {"active"}:
        raise SetupError("the agent starts with this machine, but does not serve yet; journalctl -u 'bulkhead-*' says why. "
                         "It goes on trying by itself")
    print(f"Worker host {services.host_name(places)} is up and starts with this machine.\nLogs: journalctl -u 'bulkhead-*'")
    return 0


def uninstall(with_data: bool) -> int:
    """Stop and remove the units; with ``with_data`` also everything under the state folder and the user."""
    _need_systemd()
    places = find()
    joined_as = services.host_name(places) if services.has_joined(places) else ""
    units.remove()
    down.reap(places, *(["--all"] if with_data else []))
    if not with_data:
        print(f"The units are gone. What students did is still in {places.state}; ./lab uninstall --data removes it too.")
        return 0
    for folder in (places.run, places.state):
        shutil.rmtree(folder, ignore_errors=True)
    if user_ids():
        subprocess.run(["/usr/sbin/userdel", USER], check=False)
    print("Everything of Bulkhead's is gone from this machine, apart from Debian's packages.")
    if joined_as:
        print(f"Its site was not told: sudo ./lab worker remove {joined_as} there takes it from the list.")
    return 0


def _need_systemd() -> None:
    if not is_root():
        raise SetupError("units are written by root: sudo ./lab install")
    if not Path("/run/systemd/system").is_dir():
        raise SetupError("systemd does not run here: sudo ./lab up runs Bulkhead in the foreground")
    if user_ids() is None:
        ground.make_user()
