"""``python -m runtime_agent COMMAND``: the agent's processes and its operator's tools. Needs root."""

from __future__ import annotations

import argparse
import importlib
import sys

from runtime_agent.settings import SettingsError, load

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
    "reap": ("runtime_agent.reap_command", "end spares while no control process runs; --sandboxes, --all: more"),
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
    module = importlib.import_module(COMMANDS[arguments.command][0])
    if arguments.command in ("control", "bridge", "tunnel"):
        return module.main(settings)
    return module.main(settings, arguments.rest)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
