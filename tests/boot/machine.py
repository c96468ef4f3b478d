"""A Debian with systemd and this project, booted under User-Mode Linux: a kernel of its own that is an ordinary process.

It needs neither virtualization nor a device of the host; a boot takes about a minute. The machine has no network. Programs and
images come from the installation that runs the tests, so that nothing is built or fetched twice.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from runtime_agent import debian, settings

PROJECT = Path(__file__).resolve().parent.parent.parent
KERNEL = Path("/usr/bin/linux.uml")
MODULES = Path("/usr/lib/uml/modules")
PACKAGES = ("systemd-sysv dbus udev kmod python3 python3-venv ca-certificates redis-server crun conmon catatonit busybox-static "
            "mmdebstrap e2fsprogs util-linux mount iproute2 procps debian-archive-keyring login passwd").split()
DISK_BYTES = 6 << 30
MEMORY = "2500M"
CONSOLE = ["con=null", "con0=null,fd:1", "ssl=null"]
UNIT = """[Unit]
Description=What this boot is for
After=multi-user.target
[Service]
Type=exec
ExecStart=/usr/bin/python3 /srv/bulkhead/tests/boot/guest.py %s
StandardOutput=file:/dev/console
StandardError=inherit
[Install]
WantedBy=multi-user.target
"""


class Machine:
    """One disk; ``boot`` may be called several times."""

    def __init__(self, folder: Path, installation: Path):
        self.folder, self.installation, self.disk = folder, installation, folder / "disk.ext4"

    def make(self) -> None:
        """Debian, the project, the programs and the base image, as one file system."""
        tree = self.folder / "tree"
        self._debian(tree)
        self._project(tree)
        self._installation(tree)
        with self.disk.open("wb") as file:
            file.truncate(DISK_BYTES)
        run("mke2fs", "-q", "-F", "-t", "ext4", "-d", tree, self.disk)
        shutil.rmtree(tree)

    def boot(self, part: str, seconds: float) -> str:
        """Run guest.py's ``part`` as systemd's last unit; all that the console said. The guest turns itself off."""
        run("debugfs", "-w", "-R", "rm /etc/systemd/system/boot.part", self.disk)
        (self.folder / "part").write_text(part)
        run("debugfs", "-w", "-R", f"write {self.folder / 'part'} /etc/systemd/system/boot.part", self.disk)
        command = [KERNEL, f"mem={MEMORY}", f"ubd0={self.disk}", "root=/dev/ubda", "rw", "init=/sbin/init", "quiet",
                   f"umid={self.folder.name}", "systemd.show_status=0", *CONSOLE]
        done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=seconds, env={**os.environ, "TMPDIR": str(self.folder)})
        return done.stdout.decode(errors="replace")

    def _debian(self, tree: Path) -> None:
        """Kept as a tar file for as long as the list of packages is the same."""
        digest = hashlib.sha256(" ".join(PACKAGES).encode()).hexdigest()[:16]
        kept = self.installation / "boot" / f"debian-{digest}.tar"
        if not kept.exists():
            kept.parent.mkdir(exist_ok=True)
            sources = debian.sources(settings.current())
            run("mmdebstrap", "--quiet", "--variant=minbase", "--mode=root", "--skip=check/empty", f"--include={','.join(PACKAGES)}",
                "--dpkgopt=force-unsafe-io", "bookworm", kept.with_suffix(".new.tar"), *sources)
            kept.with_suffix(".new.tar").rename(kept)
        tree.mkdir()
        run("tar", "-C", tree, "-xf", kept, "--xattrs", "--xattrs-include=*", "--numeric-owner")
        shutil.copytree(MODULES, tree / "lib/modules", dirs_exist_ok=True)
        run("chroot", tree, "systemctl", "mask", "systemd-networkd-wait-online.service", "redis-server.service")
        (tree / "etc/fstab").write_text("/dev/ubda / ext4 defaults 0 1\n")
        (tree / "etc/hostname").write_text("school\n")
        (tree / "etc/modules-load.d/bulkhead.conf").write_text("overlay\nloop\nveth\nbridge\n")

    def _project(self, tree: Path) -> None:
        shutil.copytree(PROJECT, tree / "srv/bulkhead", symlinks=True, ignore=shutil.ignore_patterns(
            ".git", "node_modules", "__pycache__", ".bulkhead", ".hypothesis"))
        shutil.copytree(self.installation / "build/static/dist", tree / "srv/bulkhead/static/dist", dirs_exist_ok=True)
        unit = tree / "etc/systemd/system/boot.service"
        unit.write_text(UNIT % "/etc/systemd/system/boot.part")
        run("chroot", tree, "systemctl", "enable", "boot.service")

    def _installation(self, tree: Path) -> None:
        state = tree / "var/lib/bulkhead"
        for name in ("venv", "tools", "build", "agent/images/base"):
            (state / name).mkdir(parents=True)
            run("cp", "-a", f"{self.installation / name}/.", state / name)
        stamps = ("import sys; sys.path.insert(0, '/srv/bulkhead')\n"
                  "from deploy.lab import places, programs\n"
                  "p = places.find()\n"
                  "programs._make_tools = programs._make_venv = programs.build_front_end = lambda places: None\n"
                  "programs.prepare(p)\n")
        run("chroot", tree, "python3", "-c", stamps)


def run(*command: object) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BULKHEAD_")}
    done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          check=False, env=environment)
    if done.returncode:
        raise RuntimeError(f"{' '.join(str(word) for word in command[:4])}:\n{(done.stdout + done.stderr)[-3000:]}")
