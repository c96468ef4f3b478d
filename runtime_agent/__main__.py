"""``python -m runtime_agent COMMAND``: the agent's processes and its operator's tools. Needs root."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable

from runtime_agent.settings import Settings, SettingsError, load

COMMANDS = {
    "control": ("runtime_agent.control", "the process that makes and removes sandboxes"),
    "bridge": ("runtime_agent.bridge", "the process that carries terminals"),
    "attacks": ("runtime_agent.attacks", "run an attack list in fresh sandboxes"),
    "tunnel": ("runtime_agent.tunnel", "the process that carries web previews"),
    "check-labs": ("runtime_agent.labtest", "solve labs as a person would"),
    "facts": ("runtime_agent.xray.dump", "what the kernel knows about a running session"),
    "image": ("runtime_agent.image_command", "list, build, verify, gc, import of images"),
    "doctor": ("runtime_agent.doctor", "what this host can and cannot do"),
    "fetch-labs": ("runtime_agent.library", "bring a joined host to the site's catalogue, once"),
    "join": ("runtime_agent.joining", "join a site as a worker host, or leave it"),
    "reap": ("", "remove sandboxes that nobody owns; --all removes every one"),
}


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m runtime_agent", description=__doc__)
    parser.add_argument("command", choices=COMMANDS, help="; ".join(f"{k}: {v[1]}" for k, v in COMMANDS.items()))
    parser.add_argument("rest", nargs=argparse.REMAINDER)
    arguments = parser.parse_args(argv)
    import os

    from runtime_agent import notify
    notify.claim()
    try:
        settings = load(os.environ)
    except SettingsError as error:
        print(f"runtime_agent: {error}", file=sys.stderr)
        return 2
    own: dict[str, Callable[[Settings, list[str]], int]] = {"reap": reap}
    if arguments.command in own:
        return own[arguments.command](settings, arguments.rest)
    module = importlib.import_module(COMMANDS[arguments.command][0])
    if arguments.command in ("control", "bridge", "tunnel"):
        return module.main(settings)
    return module.main(settings, arguments.rest)


def reap(settings: Settings, rest: list[str]) -> int:
    """Delete what is left of sandboxes that no running control process looks after."""
    from runtime_agent import namespace, sandbox, spares, teardown
    namespace.enter(settings)
    count = 0
    for home in sorted(settings.sandboxes_dir.glob("*/*/")):
        if rest == ["--all"] or sandbox.find(settings, home.parent.name, home.name) is None:
            sandbox.delete(settings, home.parent.name, home.name)
            count += 1
    for spare in spares.unclaimed(settings):
        if rest == ["--all"] or not spare.is_alive():
            count += spares.discard(settings, spare)
    if rest == ["--all"]:
        for name in spares.leftovers(settings):
            teardown.discard_spare(settings, name)
            count += 1
    print(f"{count} removed")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
