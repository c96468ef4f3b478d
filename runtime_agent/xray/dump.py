"""``python -m runtime_agent facts SESSION [EXPRESSION]``: the facts of a running session, for authors of checks."""

from __future__ import annotations

import argparse
import json
import sys

from runtime_agent import namespace, protocol, questions, sandbox, xray
from runtime_agent.questions import QuestionError
from runtime_agent.records import Records
from runtime_agent.settings import Settings


def main(settings: Settings, arguments: list[str]) -> int:
    """Print a session's facts, or what an expression finds in each machine's. 1 if this host has no such session."""
    parser = argparse.ArgumentParser(prog="python -m runtime_agent facts", description=__doc__)
    parser.add_argument("session", nargs="?", help="the session's id; without it, the ids of this host are listed")
    parser.add_argument("expression", nargs="?", help="JMESPath with $init, as in a check; asked of each machine")
    options = parser.parse_args(arguments)
    namespace.enter(settings)
    if options.session is None:
        for box in sandbox.living(settings):
            print(box.session_id, box.machine)
        return 0
    try:
        session_id = protocol.check_session_id(options.session)
    except protocol.ProtocolError as error:
        print(f"facts: {error}", file=sys.stderr)
        return 2
    found = xray.collect_session({name: sandbox.find(settings, session_id, name)
                                  for name in Records(settings.agent_dir).machines(session_id)})
    if not found["machines"]:
        print(f"facts: no machine of the session {session_id} lives on this host", file=sys.stderr)
        return 1
    try:
        shown = found if options.expression is None else {name: questions.ask(options.expression, known)
                                                          for name, known in found["machines"].items()}
    except QuestionError as error:
        print(f"facts: {error}", file=sys.stderr)
        return 2
    print(json.dumps(shown, indent=1, ensure_ascii=False))
    return 0
