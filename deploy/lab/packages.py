"""Debian packages: which there are, and installing the rest without starting a service."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from deploy.lab.places import SetupError, is_root
from deploy.lab.table import Row

SITE = ["python3-venv", "ca-certificates", "redis-server", "tzdata"]
"""tzdata is not everywhere, and without it Celery does not even start."""
WORKER = ["crun", "conmon", "catatonit", "busybox-static", "mmdebstrap", "e2fsprogs", "util-linux", "iproute2",
          "procps", "debian-archive-keyring"]
TESTS = ["systemd", "postgresql", "caddy", "chromium", "fonts-dejavu-core", "runc", "skopeo", "umoci", "qemu-system-x86"]
BOOT = ["user-mode-linux"]
COMPOSE = ["slirp4netns"]
POLICY = Path("/usr/sbin/policy-rc.d")


def rows(wanted: list[str]) -> list[Row]:
    """One row for what is there, one for what will come."""
    absent = missing(wanted)
    present = [name for name in wanted if name not in absent]
    found = [Row("ok", "Packages", " ".join(present))] if present else []
    if not absent:
        return found
    if not is_root():
        return [*found, Row("CAUTION", "Packages", " ".join(absent), "sudo apt-get install " + " ".join(absent))]
    if shutil.which("apt-get") is None:
        return [*found, Row("can't", "Packages", " ".join(absent), "no apt-get here: install them by hand")]
    return [*found, Row("will install", "Packages", " ".join(absent))]


def missing(wanted: list[str]) -> list[str]:
    if shutil.which("dpkg-query") is None:
        return list(wanted)
    done = subprocess.run(["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", *wanted],
                          capture_output=True, text=True, check=False)
    installed = {line.split()[0] for line in done.stdout.splitlines() if line.endswith(" installed")}
    return [name for name in wanted if name not in installed]


def install(wanted: list[str]) -> None:
    """Install what is missing. Debian would start its own redis-server: policy-rc.d(8) forbids that meanwhile."""
    absent = missing(wanted)
    if not absent:
        return
    print(f"Installing {' '.join(absent)}", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    own_policy = not POLICY.exists()
    if own_policy:
        POLICY.write_text("#!/bin/sh\nexit 101\n")
        POLICY.chmod(0o755)
    try:
        for command in (["apt-get", "update", "-q"],
                        ["apt-get", "install", "-q", "-y", "--no-install-recommends", *absent]):
            done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
            if done.returncode:
                raise SetupError(f"{' '.join(command[:2])} failed:\n{done.stdout[-1500:]}")
    finally:
        if own_policy:
            POLICY.unlink(missing_ok=True)
