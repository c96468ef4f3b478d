"""`./lab down`: the end of the site or the agent that runs here, and of what would then belong to nobody.

Students' sandboxes are theirs and outlive an upgrade. The agent's spares are nobody's without it, so they end with it,
whether `./lab up` ends by Ctrl-C, by `./lab down`, or was killed and `./lab down` comes after it.
"""

from __future__ import annotations

import subprocess

from deploy.lab import running, services
from deploy.lab.places import Places, SetupError, find, is_root


def down(with_sandboxes: bool) -> int:
    places = find()
    if with_sandboxes and not is_root():
        raise SetupError("sandboxes are root's: sudo ./lab down --sandboxes")
    services.take_settings(places)  # where its control groups are
    did_run = running.stop(places)
    print("Bulkhead has stopped." if did_run else "Bulkhead does not run here.", flush=True)
    if reap(places, *(["--sandboxes"] if with_sandboxes else [])):
        raise SetupError("not everything has ended: see above")
    return 0


def reap(places: Places, *options: str) -> int:
    """Let the agent end its spares, and what ``options`` say; its exit status. It says itself what it did and what is left."""
    if not is_root() or not places.python.exists():
        return 0
    return subprocess.run([str(places.python), "-m", "runtime_agent", "reap", *options], cwd=places.project, check=False,
                          stdin=subprocess.DEVNULL, env=services.shared_environment(places)).returncode
