"""Images from `./lab`'s side: built with a bar, later ones in the background, and the operator's `./lab image`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence

from deploy.lab import services
from deploy.lab.places import Places, SetupError, is_root

BASE = "base"
"""What `up` waits for; every other image is built while the site serves already."""
REACHES_OUT = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE", "PIP_INDEX_URL")
"""How this machine reaches its package sources: builds fetch, so they know what set-up knows."""
BAR_CHARACTERS = 30
MESSAGE_CHARACTERS = 60


def recipes(places: Places) -> list[str]:
    """The names of all recipes, the base first."""
    names = (path.parent.name for path in (places.project / "labs/images").glob("*/packages"))
    return sorted(names, key=lambda name: (name != BASE, name))


def build(places: Places, names: Sequence[str]) -> None:
    """Build with a bar; what is built already takes a moment. Raises SetupError, after trying all, if one failed."""
    failed = [name for name in names if agent_with_bar(places, ["build", name])]
    if failed:
        raise SetupError(f"not built: {', '.join(failed)}; the reason stands above")


def build_later(places: Places) -> None:
    """Every other recipe, one after the other, at low priority; their progress is on the operator's page."""
    later = [name for name in recipes(places) if name != BASE]
    if not is_root() or not later:
        return
    with (places.state / "log" / "images.log").open("a") as log:
        subprocess.Popen(["/usr/bin/nice", "-n", "10", *_agent(places), "build", *later], cwd=places.project,
                         env=_environment(places), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                         start_new_session=True)


def command(places: Places, action: str, arguments: Sequence[str]) -> int:
    """`./lab image ACTION ...`"""
    if not is_root():
        raise SetupError("images belong to root: sudo ./lab image")
    if action in ("build", "import"):
        return agent_with_bar(places, [action, *arguments])
    return subprocess.run([*_agent(places), action, *arguments], cwd=places.project, check=False,
                          env=services.shared_environment(places)).returncode


def agent_with_bar(places: Places, arguments: Sequence[str]) -> int:
    """Run the agent's `image` and draw its reports on one line; its exit status. Errors go to stderr as they are."""
    child = subprocess.Popen([*_agent(places), *arguments], cwd=places.project, text=True, stdin=subprocess.DEVNULL,
                             env=_environment(places), stdout=subprocess.PIPE)
    shown = -1
    for line in child.stdout or ():
        report = json.loads(line)
        if sys.stdout.isatty() or report["percent"] // 25 != shown // 25:  # a log gets a line each quarter
            shown = report["percent"]
            draw(shown, report["message"])
    if sys.stdout.isatty() and 0 <= shown < 100:
        print(flush=True)
    return child.wait()


def draw(percent: int, message: str) -> None:
    filled = percent * BAR_CHARACTERS // 100
    begin, end = ("\r", "\n" if percent == 100 else "") if sys.stdout.isatty() else ("", "\n")
    print(f"{begin}  image [{'#' * filled}{'.' * (BAR_CHARACTERS - filled)}] {percent:3d} % "
          f"{message[:MESSAGE_CHARACTERS]:{MESSAGE_CHARACTERS}}", end=end, flush=True)


def _agent(places: Places) -> list[str]:
    return [os.fspath(places.python), "-m", "runtime_agent", "image"]


def _environment(places: Places) -> dict[str, str]:
    return {**services.shared_environment(places), **{name: os.environ[name] for name in REACHES_OUT if name in os.environ}}
