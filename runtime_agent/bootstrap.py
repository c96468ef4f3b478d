"""A whole Debian in a folder, by mmdebstrap, with the package lists and files of earlier builds."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from runtime_agent import debian, tree
from runtime_agent.settings import Settings

OPTIONS = [
    "--verbose", "--variant=apt", "--mode=root", "--format=directory", "--skip=essential/unlink,update",
    "--aptopt=APT::Install-Recommends \"false\"", "--aptopt=Acquire::Languages \"none\"",
    "--aptopt=Acquire::Check-Valid-Until \"false\"",
    "--dpkgopt=path-exclude=/usr/share/man/*", "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-include=/usr/share/doc/*/copyright", "--dpkgopt=path-exclude=/usr/share/locale/*",
    "--dpkgopt=path-exclude=/usr/share/info/*", "--dpkgopt=force-unsafe-io"]
SHELL_ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8",
                     "DEBIAN_FRONTEND": "noninteractive", "SOURCE_DATE_EPOCH": str(tree.EPOCH)}


def bootstrap(settings: Settings, suite: str, packages: Sequence[str], target: Path, say: debian.Say,
              hooks: Sequence[str] = ()) -> None:
    """Make ``target`` a Debian of ``suite`` with ``packages``; without a network it makes do with what earlier builds left.

    ``hooks`` are further options of mmdebstrap. Raises ImageError with its last words.
    """
    target.mkdir()
    apt = debian.Apt(settings, target, say, suite)
    apt.refresh()
    archives, inside = apt.cache / "archives", '"$1"/var/cache/apt/archives'
    command = ["mmdebstrap", *OPTIONS, f"--include={','.join(packages)}",
               f"--setup-hook=mkdir -p \"$1\"/var/lib/apt/lists && cp {apt.lists}/*_* \"$1\"/var/lib/apt/lists/",
               f"--setup-hook=mkdir -p {inside} && cp -ln {archives}/*.deb {inside}/ 2>/dev/null || true",
               f"--customize-hook=cp -ln {inside}/*.deb {archives}/ 2>/dev/null || true", *hooks,
               suite, str(target), *map(str, debian.sources(settings, suite))]
    debian.run(command, say, {**os.environ, **SHELL_ENVIRONMENT, "PATH": os.environ.get("PATH", os.defpath)})
