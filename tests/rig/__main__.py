"""`python -m tests.rig [--whole] [ARGUMENTS OF PYTEST]`: the sandbox tests on cgroup version 2; 0 only if all pass."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import time

from runtime_agent import settings
from runtime_agent.recipes import ImageError
from tests.rig import chosen, machine, system

SECONDS, WHOLE_SECONDS = 1500.0, 4 * 3600.0
"""After that a machine is taken for one that hangs."""
PATIENCE = 10
"""How many times longer everything takes that the tests wait for."""
JOB = r"""
export CI=1 BULKHEAD_REQUIRE_SANDBOX=1 PYTHONDONTWRITEBYTECODE=1 TMPDIR=/var/tmp
export BULKHEAD_STATE_DIR=/{state} BULKHEAD_TEST_PATIENCE={patience}
lane() {{
    number=$1; shift
    {{ /{state}/venv/bin/python -m pytest -p no:django --timeout=0 -vv --tb=short --durations=5 "$@"; echo $? > /run/lane-$number; }} 2>&1 |
        sed -u "s/^/$number| /"
}}
{lanes}
wait
exit $(cat /run/lane-* | sort -n | tail -1)
"""


def main(words: list[str]) -> int:
    began = time.monotonic()
    whole = "--whole" in words
    rest = [word for word in words if word != "--whole"]
    print("rig: a machine with cgroup version 2 only, its processor emulated", flush=True)
    print(chosen.explanation(whole), flush=True)
    try:
        files = system.prepare(settings.current(), lambda word: print(f"rig: preparing: {word}", flush=True))
        status, output = machine.run(files, job(whole, rest), WHOLE_SECONDS if whole else SECONDS)
    except (ImageError, OSError, subprocess.SubprocessError) as error:
        print(f"rig: it can't run: {error}", flush=True)
        return 1
    print(chosen.explanation(whole))
    print(f"rig: {time.monotonic() - began:.0f} s; {totals(output)}", flush=True)
    return status


def job(whole: bool, rest: list[str]) -> str:
    """The shell script that the machine runs: the lanes beside each other, the worst status at the end."""
    lines = [f"lane {number} {shlex.join([*arguments, *rest])} &" for number, arguments in enumerate(chosen.lanes(whole), 1)]
    return JOB.format(state=system.STATE_INSIDE, patience=PATIENCE, lanes="\n".join(lines))


def totals(output: str) -> str:
    """The lanes' last lines added up, in the words of pytest."""
    found = {"passed": 0, "failed": 0, "skipped": 0}
    for line in re.findall(r"^\d\| =+ (.*) in [\d.]+s.*=$", output, re.MULTILINE):
        for number, word in re.findall(r"(\d+) (passed|failed|error|skipped)", line):
            found["failed" if word == "error" else word] += int(number)
    return ", ".join(f"{number} {word}" for word, number in found.items())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
