"""``python -m runtime_agent reap``: an operator's end of what runs here, for a host whose control process has ended.

Spares belong to nobody then, so they always go. Students' sandboxes stay for the next control process, unless told:
``--sandboxes`` stops them as a power cut would, with their files kept; ``--all`` also deletes the files.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from runtime_agent import conmon, duty, namespace, network, sandbox, spares, state, teardown
from runtime_agent.errors import STUCK
from runtime_agent.settings import Settings


def main(settings: Settings, arguments: list[str]) -> int:
    """1 if a control process runs, which looks after its sandboxes itself, or something could not be ended."""
    parser = argparse.ArgumentParser(prog="python -m runtime_agent reap", description=__doc__.partition("\n\n")[2])
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--sandboxes", dest="end", action="store_const", const=stop, help="stop sandboxes too, keep their files")
    choice.add_argument("--all", dest="end", action="store_const", const=delete, help="sandboxes too, with their files")
    end = parser.parse_args(arguments).end
    try:
        with duty.alone(settings):
            namespace.enter(settings)
            return reap(settings, end)
    except duty.OnDuty:
        print("runtime_agent: the agent runs here and looks after its sandboxes itself; stop it first", file=sys.stderr)
        return 1


def reap(settings: Settings, end: Callable[[Settings, Path], None] | None) -> int:
    """End every spare, and with ``end`` what is in each sandbox's folder; then say what is left."""
    faults: list[Exception] = []
    ended = _each(spares.unclaimed(settings), lambda spare: spares.discard(settings, spare), faults)
    ended += _each(spares.leftovers(settings), lambda name: teardown.discard_spare(settings, name), faults)
    if ended:
        print(f"Spare sandboxes ended: {ended}.")
    living = len(list(sandbox.living(settings)))
    if end:
        _each(sorted(settings.sandboxes_dir.glob("*/*/")), lambda home: end(settings, home), faults)
    left = len(list(sandbox.living(settings)))
    if living > left:
        print(f"Sandboxes ended: {living - left}.")
    if left:
        print(f"Sandboxes that run on: {left}. Nothing ends them until the agent is back and finds them again.\n"
              "sudo ./lab down --sandboxes stops them and keeps their files.")
    for fault in faults:
        print(f"runtime_agent: {fault}", file=sys.stderr)
    return 1 if faults else 0


def stop(settings: Settings, home: Path) -> None:
    """End its processes, mounts and groups; disk, ids and state stay, as a power cut leaves them."""
    session_id, machine = home.parent.name, home.name
    name = sandbox.container(settings, session_id, machine)
    made = conmon.as_made(settings, state.load(home) or {})
    teardown.dismantle(made, name, home)
    network.remove(session_id)


def delete(settings: Settings, home: Path) -> None:
    sandbox.delete(settings, home.parent.name, home.name)


def _each(things: Iterable[Any], do: Callable[[Any], object], faults: list[Exception]) -> int:
    """How many it could be done to; one that can't be ended must not keep the others alive."""
    done = 0
    for thing in things:
        try:
            do(thing)
            done += 1
        except STUCK as error:
            faults.append(error)
    return done
