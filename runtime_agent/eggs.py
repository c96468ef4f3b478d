"""Fetching Python eggs for images: archives of the time before wheels, which pip and uv no longer take.

    <agent>/packages/eggs/   every egg ever fetched, so that a later build needs no network

setuptools still reads them; it is one of the tools that set-up installs (deploy/tools.lock) and runs in a process of its
own. The index is the machine's: PIP_INDEX_URL, or else the one that setuptools knows. Nothing of an egg is executed here.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from runtime_agent import debian
from runtime_agent.recipes import Egg, ImageError
from runtime_agent.settings import Settings

FETCH = """
import os, sys
from pkg_resources import Requirement
from setuptools.package_index import PackageIndex
index = {"index_url": os.environ["PIP_INDEX_URL"]} if os.environ.get("PIP_INDEX_URL") else {}
found = PackageIndex(search_path=[], python=sys.argv[2], **index).fetch_distribution(Requirement.parse(sys.argv[1]), ".")
sys.exit(0 if found else "the package index has no egg of " + sys.argv[1])
"""
EGG_PYTHON = "2.7"
"""Eggs name the Python they are for; those that images want are all of the last Python 2."""


def fetch(settings: Settings, egg: Egg, target: Path, say: Callable[[str], None]) -> Path:
    """Put one egg into ``target`` as ``<name>.egg``. Raises ImageError if it can't be had or is not the one that was meant."""
    store = debian.cache(settings) / "eggs"
    store.mkdir(exist_ok=True)
    kept = store / f"{egg.name}-{egg.version}.egg"
    if not (kept.is_file() and _sum(kept) == egg.sha256):
        _download(settings, egg, kept, say)
    place = target / f"{egg.name}.egg"
    shutil.copy(kept, place)
    return place


def _download(settings: Settings, egg: Egg, kept: Path, say: Callable[[str], None]) -> None:
    python = settings.state_dir / "tools" / "bin" / "python"
    if not python.exists():
        raise ImageError(f"{python} is missing: ./lab up installs the tools that fetch eggs")
    say(f"Fetching {egg.name} {egg.version}")
    with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
        debian.run([str(python), "-W", "ignore", "-c", FETCH, f"{egg.name}=={egg.version}", EGG_PYTHON], say,
                   dict(os.environ), Path(folder))
        found = list(Path(folder).glob("*.egg"))
        if len(found) != 1 or _sum(found[0]) != egg.sha256:
            raise ImageError(f"eggs: {egg.name}=={egg.version} has not the sum {egg.sha256[:12]}... that the recipe names")
        found[0].rename(kept)


def _sum(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
