"""`./lab backup FILE` and `./lab restore FILE`: a site in one file, and back."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from deploy.lab import ground, running, services, units
from deploy.lab.places import Places, SetupError, is_root, user_ids

ADDRESS = "http://127.0.0.1:8000"


def backup(places: Places, file: Path, password_file: Path | None) -> int:
    """Write it under a hidden name, readable by its owner only, and rename it at the end. May run beside the site, and
    is of the database that the site has: where it was started with another than SQLite, that one."""
    services.take_settings(places)
    building = file.with_name(f".{file.name}.new")
    descriptor = os.open(building, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as target:
        done = _manage(places, ["backup"], password_file, stdout=target)
    if done.returncode:
        building.unlink()
        raise SetupError(f"the backup failed:\n{done.stderr.decode(errors='replace')[-1500:]}")
    building.rename(file)
    sealed = "encrypted" if password_file else "NOT encrypted: it holds the site's key and everybody's password hashes"
    print(f"{file}: {file.stat().st_size / 1024:.0f} KiB, {sealed}")
    return 0


def restore(places: Places, file: Path, password_file: Path | None, replace: bool) -> int:
    """Fill this installation; the site must not run meanwhile."""
    if not file.is_file():
        raise SetupError(f"there is no file {file}")
    if running.running_pid(places):
        raise SetupError("the site runs: ./lab down stops it")
    if units.are_of_a_site() and units.are_running():
        raise SetupError(f"the site runs from systemd: systemctl stop {units.TARGET} stops it until the next boot")
    services.take_settings(places)
    prepared = _manage(places, ["prepare_site"], None, stdout=subprocess.PIPE)
    if prepared.returncode:
        raise SetupError(prepared.stderr.decode(errors="replace")[-1500:])
    with file.open("rb") as source:
        done = _manage(places, ["restore", *(["--replace"] if replace else [])], password_file,
                       stdout=subprocess.PIPE, stdin=source)
    if done.returncode:
        raise SetupError(done.stderr.decode(errors="replace").strip().rpartition("CommandError: ")[2][-1500:])
    found = json.loads(done.stdout)
    ground.write_secret(places, found["secret"])
    print(f"{found['users']} users and all they did are back. ./lab up serves them.")
    for folder in found["courses"]:
        print(f"Courses from {folder} are in the backup under courses/; unpack them there with tar.")
    return 0


def _manage(places: Places, arguments: list[str], password_file: Path | None, *, stdout, stdin=subprocess.DEVNULL):
    owner = user_ids() if is_root() else None
    identity = {"user": owner[0], "group": owner[1], "extra_groups": []} if owner else {}
    environment = services.site_environment(places, ADDRESS)
    if password_file:
        environment["BULKHEAD_BACKUP_PASSWORD"] = read_password(password_file)
    return subprocess.run([str(places.python), "manage.py", *arguments], cwd=places.project, env=environment,
                          stdin=stdin, stdout=stdout, stderr=subprocess.PIPE, check=False, **identity)


def read_password(file: Path) -> str:
    try:
        password = file.read_text().strip()
    except OSError as error:
        raise SetupError(f"{file}: {error.strerror}") from None
    if len(password) < 12:
        raise SetupError(f"{file}: a backup's password has at least 12 characters")
    return password
