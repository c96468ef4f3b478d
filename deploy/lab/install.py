"""`./lab install` and `./lab uninstall`: units for systemd that run what `./lab up` runs, at every boot.

The units are written from the templates of deploy/systemd, with this machine's paths. Only `uninstall --data` takes
away what students did.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from deploy.lab import down, ground, images, running, services, up
from deploy.lab.places import PROJECT, USER, Places, SetupError, find, is_root, user_ids

TEMPLATES = PROJECT / "deploy" / "systemd"
UNITS = Path("/etc/systemd/system")
TMPFILES = Path("/etc/tmpfiles.d/bulkhead.conf")
TARGET = "bulkhead.target"
SITE = ("bulkhead-web", "bulkhead-worker")
AGENT = ("bulkhead-bridge", "bulkhead-tunnel", "bulkhead-control")


def install(port: int, listen: str) -> int:
    """Set up, write the units, start them. A second time it is an upgrade: the sandboxes run on."""
    _need_systemd()
    places = find()
    if running.running_pid(places):
        raise SetupError("Bulkhead runs in the foreground here: ./lab down stops it")
    if services.has_joined(places):
        raise SetupError("this machine is a worker host: ./lab worker run runs it, and there are no units for that yet")
    if os.environ.get("BULKHEAD_WORKERS_AT"):
        raise SetupError("BULKHEAD_WORKERS_AT works with ./lab up only: the unit of Redis opens to no other machine yet")
    services.open_bus(places)
    is_upgrade = (UNITS / TARGET).exists()
    if is_upgrade:
        _systemctl("stop", *SITE)
    up.check_and_prepare(places, port=port, listen=listen)
    images.build(places, [images.BASE])
    write(places, listen, port)
    for command in (["daemon-reload"], ["enable", "--now", TARGET]):
        _systemctl(*command)
    if is_upgrade:
        _systemctl("try-restart", *AGENT)
    address = services.address(listen, port)
    services.note_settings(places, address)
    up.wait_until_served(address)
    link = up.manage(places, address, ["signin_link", "--create-admin"]).strip()
    print(f"Bulkhead is at {address} and starts with this machine.\n"
          f"Sign in once, as its administrator: {address}{link}\nLogs: journalctl -u 'bulkhead-*'")
    return 0


def write(places: Places, listen: str, port: int, root: Path = Path("/")) -> list[Path]:
    """Write units, environment files and tmpfiles entry below ``root``; what was written."""
    values = {"@PYTHON@": str(places.python), "@PROJECT@": str(places.project), "@STATE@": str(places.state),
              "@RUN@": str(places.run), "@LISTEN@": listen, "@PORT@": str(port),
              "@REDIS@": services.redis_command(places)[0]}
    written = []
    for template in sorted(TEMPLATES.iterdir()):
        text = template.read_text()
        for name, value in values.items():
            text = text.replace(name, value)
        written.append(_put(root, UNITS / template.name, text))
    written.append(_put(root, TMPFILES, f"d {places.run} 1771 root {USER}\nd {places.run}/agent 0700 root root\n"))
    address = services.address(listen, port)
    for name, environment in (("site.env", services.site_environment(places, address)),
                              ("agent.env", services.shared_environment(places))):
        written.append(_put(root, places.state / name, environment_file(environment), 0o600))
    return written


def environment_file(environment: dict[str, str]) -> str:
    """EnvironmentFile= of systemd.exec(5): values in double quotes, with backslashes before what means something there."""
    def quoted(value: str) -> str:
        for special in ("\\", '"', "$", "`"):
            value = value.replace(special, "\\" + special)
        return f'"{value}"'
    return "".join(f"{name}={quoted(value)}\n" for name, value in sorted(environment.items()))


def uninstall(with_data: bool) -> int:
    """Stop and remove the units; with ``with_data`` also everything under the state folder and the user."""
    _need_systemd()
    places = find()
    subprocess.run(["systemctl", "disable", "--now", TARGET], check=False)
    for template in TEMPLATES.iterdir():
        if template.suffix == ".service":
            subprocess.run(["systemctl", "stop", template.name], check=False)
        (UNITS / template.name).unlink(missing_ok=True)
    TMPFILES.unlink(missing_ok=True)
    _systemctl("daemon-reload")
    down.reap(places, *(["--all"] if with_data else []))
    if not with_data:
        print(f"The units are gone. What students did is still in {places.state}; ./lab uninstall --data removes it too.")
        return 0
    for folder in (places.run, places.state):
        shutil.rmtree(folder, ignore_errors=True)
    if user_ids():
        subprocess.run(["/usr/sbin/userdel", USER], check=False)
    print("Everything of Bulkhead's is gone from this machine, apart from Debian's packages.")
    return 0


def _put(root: Path, path: Path, text: str, mode: int = 0o644) -> Path:
    target = root / path.relative_to("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    target.chmod(mode)
    return target


def _need_systemd() -> None:
    if not is_root():
        raise SetupError("units are written by root: sudo ./lab install")
    if not Path("/run/systemd/system").is_dir():
        raise SetupError("systemd does not run here: sudo ./lab up runs Bulkhead in the foreground")
    if user_ids() is None:
        ground.make_user()


def _systemctl(*arguments: str) -> None:
    done = subprocess.run(["systemctl", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SetupError(f"systemctl {' '.join(arguments)}: {done.stderr.strip()}")
