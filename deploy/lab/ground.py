"""Folders, the unprivileged user, the copy of the code and the secrets: what everything else stands on."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from pathlib import Path

from deploy.lab.places import PROJECT, USER, Places, SetupError, is_root, user_ids

WEB_FOLDERS = ("web", "redis", "content", "static", "build", "log")
"""Folders of the state that belong to the unprivileged user; all others are root's."""
NOT_COPIED = shutil.ignore_patterns(".git", "node_modules", "__pycache__", ".bulkhead", "dist")


def prepare(places: Places) -> None:
    """Make user, folders, code copy and secrets. Repeats safely and changes nothing that is right."""
    if is_root():
        make_user()
    make_folders(places)
    if places.project != PROJECT:
        copy_code(places.project)
    make_secrets(places)


def make_user() -> None:
    if user_ids() is None:
        done = subprocess.run(["/usr/sbin/useradd", "--system", "--user-group", "--no-create-home", "--home-dir",
                               "/nonexistent", "--shell", "/usr/sbin/nologin", USER],
                              capture_output=True, text=True, check=False)
        if done.returncode:
            raise SetupError(f"the user {USER} could not be made: {done.stderr.strip()}")


def make_folders(places: Places) -> None:
    """The run folder is sticky: the site's user puts its socket there and can't replace the agent's folder."""
    places.state.mkdir(parents=True, exist_ok=True)
    places.run.mkdir(parents=True, exist_ok=True)
    owner = user_ids()
    if owner:
        places.state.chmod(0o755)
        os.chown(places.run, 0, owner[1])
        places.run.chmod(0o1771)
        (places.state / "agent").mkdir(exist_ok=True, mode=0o700)
        (places.run / "agent").mkdir(exist_ok=True, mode=0o700)
    for name in WEB_FOLDERS:
        folder = places.state / name
        folder.mkdir(exist_ok=True)
        if owner and folder.stat().st_uid != owner[0]:
            os.chown(folder, *owner)


def copy_code(target: Path) -> None:
    """A fresh copy each time: the checkout is the source, the copy is never edited."""
    building = target.with_name("app.new")
    shutil.rmtree(building, ignore_errors=True)
    shutil.copytree(PROJECT, building, ignore=NOT_COPIED, symlinks=True)
    keep = target / "static" / "dist"
    if keep.is_dir():
        shutil.copytree(keep, building / "static" / "dist")
    shutil.rmtree(target, ignore_errors=True)
    building.rename(target)
    for folder in (target, *target.rglob("*")):
        if folder.is_dir():
            folder.chmod(0o755)


def make_secrets(places: Places) -> None:
    """One file, readable by its owner only; what is in it is generated once and never printed."""
    if not (places.state / "secrets.env").exists():
        write_secret(places, secrets.token_urlsafe(48))


def write_secret(places: Places, key: str) -> None:
    """Put ``key`` in the place of the site's, in one step."""
    building = places.state / ".secrets.env.new"
    descriptor = os.open(building, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as handle:
        handle.write(f"BULKHEAD_SECRET_KEY={key}\n")
    building.rename(places.state / "secrets.env")


def read_secrets(places: Places) -> dict[str, str]:
    lines = (places.state / "secrets.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)
