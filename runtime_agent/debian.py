"""Debian packages for images: from the host's own sources, kept on disk, so that a second build needs no network.

    <agent>/packages/archives/           every .deb that was fetched, under apt's name
    <agent>/packages/lists/<suite>/      package lists
    <agent>/packages/sources/<suite>/    the host's source files, for that suite

The host's apt runs with the target tree as its ``Dir`` and starts dpkg inside it (DPkg::Chroot-Directory, apt.conf(5)):
resolver, certificates and keys are the host's, and nothing of them enters the tree.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from runtime_agent.recipes import SUITE, Deb, ImageError
from runtime_agent.settings import Settings

FRESH_SECONDS = 6 * 3600
"""Package lists younger than this are used as they are."""
Say = Callable[[str], None]


def cache(settings: Settings) -> Path:
    folder = settings.agent_dir / "packages"
    for name in ("archives/partial", "lists", "sources"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    return folder


def sources(settings: Settings, suite: str = SUITE) -> list[Path]:
    """Source files for ``suite``: the host's, with its own suite's name replaced. No mirror is named by us.

    Raises ImageError if the host has no source of Debian's main archive.
    """
    own = own_suite()
    folder = cache(settings) / "sources" / suite
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    apt = Path("/etc/apt")
    files = [apt / "sources.list", *sorted((apt / "sources.list.d").glob("*.sources")),
             *sorted((apt / "sources.list.d").glob("*.list"))]
    for file in files:
        text = _active_lines(file) if file.is_file() else ""
        if re.search(rf"\b{own}\b", text) and " main" in text and _is_debian(text):
            (folder / file.name).write_text(re.sub(rf"\b{own}\b", suite, text))
    if not any(folder.iterdir()):
        raise ImageError(f"no source of Debian's {own} main in /etc/apt: images are made from the host's own sources")
    return sorted(folder.iterdir())


def own_suite() -> str:
    facts = dict(line.partition("=")[::2] for line in Path("/etc/os-release").read_text().splitlines())
    return facts.get("VERSION_CODENAME", SUITE).strip('"')


def _active_lines(file: Path) -> str:
    return "".join(line for line in file.read_text(errors="replace").splitlines(keepends=True)
                   if not line.startswith("#"))


def _is_debian(text: str) -> bool:
    """Third parties name their suites after Debian's; only Debian's own have its keyring or its archive's path."""
    return "debian-archive" in text or "/debian" in text


class Apt:
    """apt for one tree. ``root`` has a dpkg status file; ``say`` gets every line that apt and dpkg print."""

    def __init__(self, settings: Settings, root: Path, say: Say, suite: str = SUITE):
        self.settings, self.root, self.say, self.suite = settings, root, say, suite
        self.cache = cache(settings)
        self.lists = self.cache / "lists" / suite
        (self.lists / "partial").mkdir(parents=True, exist_ok=True)
        sources(settings, suite)
        self.file = self.cache / f"apt-{suite}.conf"
        self.file.write_text(self._configuration())

    def _configuration(self) -> str:
        """Nothing of the host's apt.conf but how it reaches its sources."""
        acquire = subprocess.run(["apt-config", "dump", "Acquire"], capture_output=True, text=True, check=True).stdout
        return acquire + "\n".join((
            f'Dir "{self.root}";', 'Dir::Etc::main "/dev/null"; Dir::Etc::parts "/dev/null";',
            'Dir::Etc::sourcelist "/dev/null";', f'Dir::Etc::sourceparts "{self.cache}/sources/{self.suite}";',
            'Dir::Etc::trusted "/etc/apt/trusted.gpg"; Dir::Etc::trustedparts "/etc/apt/trusted.gpg.d";',
            'Dir::Etc::preferences "/dev/null"; Dir::Etc::preferencesparts "/dev/null";',
            f'Dir::State::lists "{self.lists}";', 'Dir::Cache::pkgcache ""; Dir::Cache::srcpkgcache "";',
            'Dir::Log::History ""; Dir::Log::Terminal "";', f'DPkg::Chroot-Directory "{self.root}";',
            'APT::Sandbox::User "root"; APT::Install-Recommends "false"; APT::Get::Assume-Yes "true";',
            'Acquire::Languages "none"; Acquire::Check-Valid-Until "false"; Acquire::Retries "3";',
            'DPkg::Use-Pty "false"; Dpkg::Options:: "--force-confold";')) + "\n"

    def install(self, packages: tuple[str, ...]) -> None:
        """Install into the tree; stale lists are the usual reason for a failure, so they are fetched again once."""
        self._with_lists(lambda: self._run("apt-get", "install", "--no-install-recommends", *packages))

    def fetch(self, deb: Deb, target: Path) -> Path:
        """Put one package file into ``target`` as ``<name>.deb``; it stays in the cache."""
        def get() -> Path:
            name = deb.pick(lambda: self._dependencies(deb.name))
            file, sum_ = self._print_uri(name)
            if not (file.is_file() and hashlib.sha256(file.read_bytes()).hexdigest() == sum_):
                self._run("apt-get", "download", name, folder=file.parent)
            place = target / f"{name}.deb"
            shutil.copy(file, place)
            return place
        return self._with_lists(get)

    def refresh(self) -> float:
        """Fetch package lists that are not fresh, or make do with old ones; their age in seconds. Raises ImageError."""
        stamp = self.lists / ".fetched"
        age = time.time() - stamp.stat().st_mtime if stamp.exists() else float("inf")
        if age > FRESH_SECONDS:
            try:
                self._run("apt-get", "update")
                stamp.touch()
                age = 0.0
            except ImageError as error:
                if not stamp.exists():
                    raise
                self.say(f"package lists of {age / 3600:.0f} hours ago are used: {error}")
        return age

    def _with_lists(self, act: Callable[[], Path | None]) -> Path | None:
        age = self.refresh()
        try:
            return act()
        except ImageError:
            if age < 1.0:
                raise
            self._run("apt-get", "update")
            (self.lists / ".fetched").touch()
            return act()

    def _dependencies(self, name: str) -> list[str]:
        shown = self._output("apt-cache", "depends", "--important", name)
        return re.findall(r"Depends: (\S+)", shown)

    def _print_uri(self, name: str) -> tuple[Path, str]:
        shown = self._output("apt-get", "download", "--print-uris", name)
        match = re.search(r"'\S+' (\S+) \d+ SHA256:([0-9a-f]{64})", shown)
        if not match:
            raise ImageError(f"apt knows no file of {name} in {self.suite}")
        return self.cache / "archives" / match[1], match[2]

    def _environment(self) -> dict[str, str]:
        from runtime_agent.tree import EPOCH
        return {**os.environ, "APT_CONFIG": str(self.file), "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8",
                "SOURCE_DATE_EPOCH": str(EPOCH)}

    def _output(self, *command: str) -> str:
        done = subprocess.run(command, env=self._environment(), stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, errors="replace", check=False)
        if done.returncode:
            raise ImageError(" | ".join(done.stderr.strip().splitlines()[-3:]))
        return done.stdout

    def _run(self, *command: str, folder: Path | None = None) -> None:
        run(command, self.say, self._environment(), folder)


def run(command: tuple[str, ...] | list[str], say: Say, environment: dict[str, str], folder: Path | None = None) -> None:
    """Run a command and hand on its lines. Raises ImageError with its last words."""
    child = subprocess.Popen(command, env=environment, cwd=folder, stdin=subprocess.DEVNULL, text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors="replace")
    last: list[str] = []
    for line in _lines(child):
        last = [*last[-5:], line]
        say(line)
    if child.wait():
        raise ImageError(f"{command[0]} {command[1] if len(command) > 1 else ''} failed: {' | '.join(last)}")


def _lines(child: subprocess.Popen) -> Iterator[str]:
    for line in child.stdout or ():
        if line.strip():
            yield line.strip()
