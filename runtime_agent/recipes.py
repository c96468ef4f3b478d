"""Image recipes: the folders ``labs/images/<name>/`` as facts. Only reads.

    from        the image below, one name; without it the image is a whole Debian made by mmdebstrap
    packages    packages to install, one a line
    debs        packages that are only fetched: ``NAME``, ``NAME SUITE``, or ``PATTERN of NAME`` for the one among
                NAME's dependencies (a kernel has a number in its name that no recipe should know)
    eggs        Python eggs that are only fetched: ``NAME==VERSION SHA256``
    setup.sh    runs as root in the new tree at the end, in /.recipe, which holds the recipe's files, debs/ and eggs/

A version is a digest of everything in the folder and of the version below: what did not change is built once.
"""

from __future__ import annotations

import fnmatch
import hashlib
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

RECIPES = Path(os.environ.get("BULKHEAD_RECIPES_DIR") or Path(__file__).resolve().parent.parent / "labs" / "images")
"""On a joined host the variable leads to the recipes that the site publishes (library)."""
SUITE = "bookworm"
NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?")
PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.:-]+")
PATTERN = re.compile(r"[a-z0-9*][a-z0-9+.*-]+")
EGG = re.compile(r"([a-z0-9][a-z0-9._-]*)==([0-9][0-9a-z.]*) ([0-9a-f]{64})")


class ImageError(Exception):
    """An image can't be built, imported or trusted; the text is for the operator."""


@dataclass(frozen=True)
class Deb:
    """A package to fetch: ``name`` of ``suite``, or what ``name``'s dependencies have that fits ``pattern``."""

    name: str
    suite: str = SUITE
    pattern: str = ""

    def pick(self, dependencies: Callable[[], list[str]]) -> str:
        """The package's real name. Raises ImageError if not exactly one dependency fits."""
        if not self.pattern:
            return self.name
        found = fnmatch.filter(dependencies(), self.pattern)
        if len(found) != 1:
            raise ImageError(f"debs: {len(found)} dependencies of {self.name} are like {self.pattern}, one is wanted")
        return found[0]


@dataclass(frozen=True)
class Egg:
    """A Python egg to fetch: this file and no other."""

    name: str
    version: str
    sha256: str


@dataclass(frozen=True)
class Recipe:
    """One folder of labs/images."""

    name: str
    folder: Path
    below: str | None
    packages: tuple[str, ...]
    debs: tuple[Deb, ...]
    eggs: tuple[Egg, ...] = ()

    @property
    def setup(self) -> Path | None:
        script = self.folder / "setup.sh"
        return script if script.is_file() else None


def read(name: str) -> Recipe:
    """The recipe of that name. Raises ImageError with file and line of what is wrong in it."""
    folder = RECIPES / name
    if not NAME.fullmatch(name) or not (folder / "packages").is_file():
        raise ImageError(f"there is no recipe labs/images/{name}/packages; recipes: {', '.join(names())}")
    below = next(iter(_lines(folder / "from", NAME)), None)
    return Recipe(name, folder, below, tuple(_lines(folder / "packages", PACKAGE)), tuple(_debs(folder / "debs")),
                  tuple(Egg(*EGG.fullmatch(line).groups()) for line in _lines(folder / "eggs", EGG)))


def names() -> list[str]:
    """Every recipe's name; ``base`` first, the rest by name."""
    found = (path.parent.name for path in RECIPES.glob("*/packages"))
    return sorted(found, key=lambda name: (name != "base", name))


def chain(name: str) -> list[Recipe]:
    """The recipe and those it stands on, lowest first. Raises ImageError for a circle."""
    found = [read(name)]
    while found[0].below:
        if found[0].below in [recipe.name for recipe in found]:
            raise ImageError(f"labs/images/{name}: it stands on itself through {found[0].name}")
        found.insert(0, read(found[0].below))
    return found


def version(name: str) -> str:
    """The version that building ``name`` now would have, 16 hexadecimal digits."""
    below = ""
    for recipe in chain(name):
        digest = hashlib.sha256(below.encode())
        for file in sorted(path for path in recipe.folder.rglob("*") if path.is_file()):
            digest.update(file.relative_to(recipe.folder).as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
        below = digest.hexdigest()[:16]
    return below


def _lines(file: Path, pattern: re.Pattern[str]) -> list[str]:
    found = [(number, line.partition("#")[0].strip()) for number, line in
             enumerate(file.read_text().splitlines() if file.is_file() else (), 1)]
    for number, line in found:
        if line and not pattern.fullmatch(line):
            raise ImageError(f"{file}:{number}: {line!r} is no name of the form {pattern.pattern}")
    return [line for _, line in found if line]


def _debs(file: Path) -> list[Deb]:
    found = []
    for number, line in enumerate(file.read_text().splitlines() if file.is_file() else (), 1):
        match line.partition("#")[0].split():
            case []:
                continue
            case [name] if PACKAGE.fullmatch(name):
                found.append(Deb(name))
            case [name, suite] if PACKAGE.fullmatch(name) and NAME.fullmatch(suite):
                found.append(Deb(name, suite))
            case [pattern, "of", name] if PATTERN.fullmatch(pattern) and PACKAGE.fullmatch(name):
                found.append(Deb(name, pattern=pattern))
            case _:
                raise ImageError(f"{file}:{number}: {line!r}: write NAME, NAME SUITE or PATTERN of NAME")
    return found
