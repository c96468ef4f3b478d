"""What this machine has: looked at before anything is changed, by `up` and by `doctor` alike."""

from __future__ import annotations

import os
import platform
import shutil
import socket
import sys
from pathlib import Path

from deploy.lab import packages
from deploy.lab.places import Places, is_root
from deploy.lab.table import Row

MIN_KERNEL = (5, 19)
MIN_FREE_BYTES = 8 << 30
"""Programs and images; what is installed already needs only room to work."""
MIN_WORKING_BYTES = 3 << 30
MIN_MEMORY_BYTES = 2 << 30
GIB = 1 << 30


def look(places: Places, port: int, listen: str, wanted: list[str]) -> list[Row]:
    """Every check as a row; "can't" means that set-up must not begin."""
    return [python(), system(), root(), kernel(), namespaces(), cgroups(), memory(), disk(places),
            free_port(listen, port), *packages.rows(wanted)]


def python() -> Row:
    version = platform.python_version()
    if sys.version_info < (3, 11):  # noqa: UP036  (this is who says so)
        return Row("can't", "Python", version, "use Debian 12 or 13, or install Python 3.11")
    return Row("ok", "Python", version)


def system() -> Row:
    facts = platform.freedesktop_os_release() if Path("/etc/os-release").exists() else {}
    name = facts.get("PRETTY_NAME", "unknown")
    if facts.get("ID") != "debian" or facts.get("VERSION_ID") not in ("12", "13"):
        return Row("CAUTION", "System", name, "Debian 12 and 13 are what is tested; packages come from apt")
    return Row("ok", "System", name)


def root() -> Row:
    if is_root():
        return Row("ok", "Root", "yes: sandboxes can run here")
    return Row("CAUTION", "Root", "no: the site runs, labs show \"no worker on this machine\"", "sudo ./lab up")


def kernel() -> Row:
    release = platform.release()
    numbers = tuple(int(part) for part in release.split("-")[0].split(".")[:2])
    if numbers < MIN_KERNEL:
        return Row("can't", "Kernel", release, f"{MIN_KERNEL[0]}.{MIN_KERNEL[1]} or newer: idmapped mounts over overlay")
    return Row("ok", "Kernel", release)


def namespaces() -> Row:
    limit = Path("/proc/sys/user/max_user_namespaces")
    if not limit.exists() or int(limit.read_text()) == 0:
        return Row("can't", "User namespaces", "off", "sysctl -w user.max_user_namespaces=30000")
    filesystems = Path("/proc/filesystems").read_text()
    if "overlay" not in filesystems:
        return Row("CAUTION", "Overlay", "not loaded", "modprobe overlay")
    return Row("ok", "Namespaces, overlay", f"up to {limit.read_text().strip()} user namespaces")


def cgroups() -> Row:
    top = Path("/sys/fs/cgroup")
    if (top / "cgroup.controllers").exists():
        return Row("ok", "Control groups", "version 2")
    if (top / "memory").is_dir() and (top / "pids").is_dir():
        return Row("ok", "Control groups", "version 1")
    return Row("CAUTION" if not is_root() else "can't", "Control groups", "no controllers under /sys/fs/cgroup",
               "mount -t cgroup2 none /sys/fs/cgroup")


def memory() -> Row:
    found = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    text = f"{found / GIB:.1f} GiB"
    if found < MIN_MEMORY_BYTES:
        return Row("CAUTION", "Memory", text, "2 GiB for the site, then 256 MiB for each student")
    return Row("ok", "Memory", text)


def disk(places: Places) -> Row:
    folder = places.state
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    text = f"{free / GIB:.1f} GiB free under {folder}"
    needed = MIN_WORKING_BYTES if (places.state / "venv").exists() else MIN_FREE_BYTES
    if free < needed:
        return Row("can't", "Disk", text, f"free {needed // GIB} GiB, or set BULKHEAD_STATE_DIR to another disk")
    return Row("ok", "Disk", text)


def free_port(listen: str, port: int) -> Row:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((listen, port))
        except OSError as error:
            return Row("can't", "Port", f"{listen}:{port}: {error.strerror}",
                       f"./lab down if it is ours, else ./lab up --port {port + 1}")
    return Row("ok", "Port", f"{listen}:{port} is free")
