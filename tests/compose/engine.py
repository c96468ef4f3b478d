"""A dockerd of our own with Compose: Debian's packages, unpacked and not installed, in namespaces of their own.

It reaches no registry. The images that docker-compose.yml and Dockerfile begin with are made here from Debian's packages, under
their names. What was fetched and built stays in ``<state>/compose``; nothing of it runs when this has ended, and the host's
network, mounts and other control groups are as they were.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from runtime_agent import cgroup, debian, settings
from runtime_agent.recipes import Deb
from tests.instance import wait_until

HERE = Path(__file__).resolve().parent
SUITE = "trixie"
"""Compose v2 is in Debian from here on."""
PROGRAMS = ("docker.io", "docker-cli", "docker-compose", "docker-buildx", "containerd", "tini")
SLIM = "debian:bookworm-slim"
BASES = {"redis:7": HERE / "bases/redis", "postgres:15": HERE / "bases/postgres"}
TRUSTED = Path("/usr/local/share/ca-certificates")
"""Authorities that this machine trusts beyond Debian's: programs in a container that fetch must trust them too."""
SMALL = [f"--dpkgopt=path-exclude=/usr/share/{what}/*" for what in ("man", "doc", "locale")]


class Engine:
    """One dockerd; ``up`` before anything else."""

    def __init__(self, folder: Path):
        self.folder, self.programs = folder, folder / "programs"
        self.group = f"bulkhead-compose-{secrets.token_hex(3)}"
        self.children: list[subprocess.Popen] = []
        folders = [self.programs / "usr/sbin", self.programs / "usr/bin"]
        self.environment = {**{name: value for name, value in os.environ.items() if not name.startswith("BULKHEAD_")},
                            "PATH": f"{folders[0]}:{folders[1]}:/usr/sbin:/usr/bin:/sbin:/bin",
                            "DOCKER_HOST": f"unix://{folder}/docker.sock", "DOCKER_CONFIG": str(self.programs / "config")}

    def up(self) -> None:
        self.folder.mkdir(exist_ok=True, mode=0o700)
        if not self.programs.exists():
            self._unpack()
        (self.folder / "docker.sock").unlink(missing_ok=True)
        self._start("unshare", "--mount", "--net", "--pid", "--ipc", "--uts", "--fork", "--mount-proc", "--kill-child",
                    "sh", HERE / "dockerd.sh", self.folder, self.group)
        first = wait_until(self._first, 10, "the first process of the namespaces")
        self._start("slirp4netns", "--configure", "--mtu=1400", "--disable-host-loopback", first, "tap0")
        self.inside = ["nsenter", f"--net=/proc/{first}/ns/net"]
        wait_until(lambda: self._docker("info").returncode == 0 or self._has_ended(), 60, "dockerd to answer")
        if self._has_ended():
            raise RuntimeError((self.folder / "engine.log").read_text()[-3000:])
        self._make_bases()

    def docker(self, *words: object, text: str = "", **changes: str) -> str:
        """What one command of docker's prints; RuntimeError with all of it if it fails. ``changes``: to its environment."""
        done = self._docker(*words, text=text, **changes)
        if done.returncode:
            raise RuntimeError(f"docker {' '.join(map(str, words))}:\n{(done.stdout + done.stderr)[-4000:]}")
        return done.stdout

    def down(self) -> None:
        """With the first process everything in its process namespace ends."""
        for child in self.children:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait(30)
        wait_until(lambda: not cgroup.Group(self.group).pids(), 30, "the last process to end")
        for folder in (*cgroup.ROOT.glob(self.group), *cgroup.ROOT.glob(f"*/{self.group}")):
            for below in sorted((path for path in folder.rglob("*") if path.is_dir()), reverse=True):
                below.rmdir()
            folder.rmdir()

    def _unpack(self) -> None:
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            tree = Path(folder)
            (tree / "var/lib/dpkg").mkdir(parents=True)
            (tree / "var/lib/dpkg/status").touch()
            apt = debian.Apt(settings.current(), tree, lambda line: None, SUITE)
            for name in PROGRAMS:
                run("dpkg-deb", "-x", apt.fetch(Deb(name, SUITE), tree), tree / "unpacked")
            plugins = tree / "unpacked/config/cli-plugins"
            plugins.mkdir(parents=True)
            for plugin in (tree / "unpacked/usr/libexec/docker/cli-plugins").iterdir():
                (plugins / plugin.name).symlink_to(Path("../../usr/libexec/docker/cli-plugins") / plugin.name)
            (tree / "unpacked").rename(self.programs)

    def _make_bases(self) -> None:
        if not self._has(SLIM):
            self._make_slim()
        for tag, folder in BASES.items():
            if not self._has(tag):
                self.docker("build", "-q", "-t", tag, folder)

    def _make_slim(self) -> None:
        archive = self.folder / "slim.tar"
        trust = [f"--customize-hook=copy-in {TRUSTED} /usr/local/share"] if TRUSTED.is_dir() else []
        run("mmdebstrap", "--quiet", "--variant=minbase", "--mode=root", "--skip=check/empty", "--dpkgopt=force-unsafe-io", *SMALL,
            *trust, "--customize-hook=rm -f $1/etc/resolv.conf $1/etc/hostname $1/etc/dpkg/dpkg.cfg.d/99mmdebstrap-unsafe",
            "bookworm", archive, *debian.sources(settings.current()))
        self.docker("import", "-c", 'CMD ["bash"]', archive, SLIM)
        archive.unlink()

    def _has(self, tag: str) -> bool:
        return self._docker("image", "inspect", tag).returncode == 0

    def _docker(self, *words: object, text: str = "", **changes: str) -> subprocess.CompletedProcess:
        return subprocess.run(["docker", *map(str, words)], env={**self.environment, **changes}, input=text, text=True,
                              capture_output=True, check=False)

    def _start(self, *words: object) -> None:
        with (self.folder / "engine.log").open("ab") as log:
            self.children.append(subprocess.Popen([*map(str, words)], env=self.environment, stdin=subprocess.DEVNULL, stdout=log,
                                                  stderr=log, start_new_session=True))

    def _first(self) -> str:
        pid = self.children[0].pid
        return Path(f"/proc/{pid}/task/{pid}/children").read_text().strip()

    def _has_ended(self) -> bool:
        return any(child.poll() is not None for child in self.children)


def run(*command: object) -> None:
    done = subprocess.run([*map(str, command)], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command[:4]))}:\n{(done.stdout + done.stderr)[-3000:]}")


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Engine]:
    found = Engine(folder)
    try:
        found.up()
        yield found
    finally:
        found.down()


def copy_project(target: Path) -> None:
    """A checkout as an operator has it."""
    shutil.copytree(HERE.parent.parent, target, symlinks=True, ignore=shutil.ignore_patterns(
        ".git", "node_modules", "__pycache__", ".bulkhead", ".hypothesis", ".env", "dist"))
