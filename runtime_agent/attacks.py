"""``python -m runtime_agent attacks``: runs an attack list in fresh sandboxes and says what held.

Every attack gets a sandbox of its own, because many leave theirs spoilt (a full disk, a used-up process limit) and a
verdict must not depend on the row before. Some run at a time: an attack waits or is held at half a CPU, so twice as
many as there are CPUs slow nobody down. A verdict is what the sandbox says; ``tests/sandbox`` looks at the host too.
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from runtime_agent import conmon, namespace, sandbox, second_opinion, spawn
from runtime_agent.attack_list import PROFILES, Attack, ListError, judge, read
from runtime_agent.errors import AgentError
from runtime_agent.records import Record, Records
from runtime_agent.settings import RUNTIMES, Settings

DEFAULT_LIST = Path(__file__).resolve().parent.parent / "tests" / "sandbox" / "attacks.tsv"
SIZES = {"standard": (256 << 20, 256), "nested": (1 << 30, 512)}
CPUS = 0.5
"""The quota that row RES-03 of our list speaks of."""
DISK_BYTES = 512 << 20
ROW_SECONDS = 40.0
TAIL_BYTES = 4096
"""Only the end of what a command prints counts: some flood the terminal first."""


@dataclass(frozen=True)
class Ground:
    """Where an attack runs."""

    runtime: str
    profile: str


@dataclass(frozen=True)
class Finding:
    """What came of one attack on one ground. ``verdict`` is OK, BAD or NONE (see ``said``), or SKIP."""

    attack: Attack
    ground: Ground
    verdict: str
    said: str

    @property
    def is_red(self) -> bool:
        expected = self.attack.expected[self.ground.profile]
        return self.verdict == "NONE" or (self.verdict == "BAD" and expected == "OK")


def specification(profile: str, image: str = "base") -> sandbox.Spec:
    """A machine with the limits of its profile and a session of its own."""
    memory_bytes, pids = SIZES[profile]
    return sandbox.Spec(str(uuid.uuid4()), "box", image, profile, "root", "lab", memory_bytes, pids, CPUS, DISK_BYTES)


def run_all(settings: Settings, attacks: Iterable[Attack], grounds: list[Ground]) -> Iterator[Finding]:
    """Every attack on every ground, several at a time; findings in the order of the list."""
    jobs = itertools.product(attacks, grounds)
    with ThreadPoolExecutor(2 * (os.cpu_count() or 1)) as workers:
        yield from workers.map(lambda job: run_one(settings, *job), jobs)


def run_one(settings: Settings, attack: Attack, ground: Ground) -> Finding:
    """One attack in a sandbox that is made for it and removed behind it."""
    if attack.expected[ground.profile] == "SKIP":
        return Finding(attack, ground, "SKIP", "")
    settings = replace(settings, runtime=ground.runtime)
    try:
        with fresh(settings, specification(ground.profile)) as box:
            return Finding(attack, ground, *attempt(settings, box, attack))
    except AgentError as error:
        return Finding(attack, ground, "NONE", f"the sandbox failed: {error}")


def attempt(settings: Settings, box: sandbox.Sandbox, attack: Attack) -> tuple[str, str]:
    """(verdict, the end of what the command printed) of one attack in a living sandbox."""
    line = f"{{ {attack.command}\n}} 2>&1 | tail -c {TAIL_BYTES}"
    result = spawn.run(settings, box, ["/bin/bash", "-c", line], "root", ROW_SECONDS)
    if result.timed_out:
        return "NONE", f"no verdict within {ROW_SECONDS:g} s"
    return judge(result.output), result.output


class fresh:  # noqa: N801
    """``with fresh(settings, spec) as box``: a sandbox with a record, so that a running agent's reaper spares it."""

    def __init__(self, settings: Settings, spec: sandbox.Spec):
        self.settings, self.spec, self.records = settings, spec, Records(settings.agent_dir)

    def __enter__(self) -> sandbox.Sandbox:
        self.records.save(Record(self.spec.session_id, 0, "attacks", owner=f"attacks:{os.getpid()}",
                                 accepted_at=time.time()))
        try:
            return sandbox.create(self.settings, self.spec)
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_exception: object) -> None:
        sandbox.delete(self.settings, self.spec.session_id, self.spec.machine)
        self.records.remove(self.spec.session_id, keep=False)


# --- the command ------------------------------------------------------------------------------------------


def main(settings: Settings, arguments: list[str]) -> int:
    """0 if everything held, 1 if anything did not or gave no verdict, 2 for a list that can't be used."""
    options = _parser().parse_args(arguments)
    try:
        attacks = read(options.list)
    except ListError as error:
        print(error, file=sys.stderr)
        return 2
    runtimes = [options.runtime] if options.runtime else conmon.installed_runtimes()
    profiles = [options.profile] if options.profile else list(PROFILES)
    grounds = [Ground(runtime, profile) for runtime in runtimes for profile in profiles]
    namespace.enter(settings)
    print(f"{len(attacks)} attacks from {options.list}, each in a fresh sandbox", flush=True)
    red = _show(run_all(settings, attacks, grounds), grounds)
    print(second_opinion.absence())
    opinions = [red for ground in grounds for red in _compare(settings, ground)]
    print(f"{len(red) + len(opinions)} red" if red or opinions else "Everything held.")
    return 1 if red or opinions else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./lab attacks", description="Run an attack list in fresh sandboxes.")
    parser.add_argument("list", nargs="?", type=Path, default=DEFAULT_LIST, metavar="FILE.tsv",
                        help="columns id, category, command, expected; default: tests/sandbox/attacks.tsv")
    parser.add_argument("--profile", choices=PROFILES, help="default: both")
    parser.add_argument("--runtime", choices=RUNTIMES, help="default: every one that this host has")
    return parser


WORDS = {"OK": "ok", "SKIP": "-", "NONE": "NONE"}


def _show(findings: Iterator[Finding], grounds: list[Ground], say: Callable[..., None] = print) -> list[Finding]:
    """Print a line per attack with a verdict per ground, then what the red ones said; return those."""
    widths = [max(6, len(f"{ground.runtime}/{ground.profile}")) for ground in grounds]
    heads = [f"{ground.runtime}/{ground.profile}".ljust(width) for ground, width in zip(grounds, widths, strict=True)]
    say(f"{'id':9}{'category':12}{'  '.join(heads)}  what must hold", flush=True)
    red: list[Finding] = []
    while row := list(itertools.islice(findings, len(grounds))):
        attack = row[0].attack
        words = [_word(finding).ljust(width) for finding, width in zip(row, widths, strict=True)]
        say(f"{attack.id:9}{attack.category:12}{'  '.join(words)}  {attack.text[:70]}", flush=True)
        red += [finding for finding in row if finding.is_red]
    for finding in red:
        say(f"\n{finding.verdict} {finding.attack.id} on {finding.ground.runtime}/{finding.ground.profile}: "
            f"{finding.attack.text}\n    {finding.attack.command}\n    printed: {finding.said.strip()[-300:]!r}")
    return red


def _word(finding: Finding) -> str:
    if finding.verdict == "BAD" and not finding.is_red:
        return "open"  # this profile may
    return WORDS.get(finding.verdict, finding.verdict)


def _compare(settings: Settings, ground: Ground) -> list[str]:
    """What other people's tools say of such a sandbox, where they are installed."""
    if not second_opinion.installed():
        return []
    settings = replace(settings, runtime=ground.runtime)
    with fresh(settings, specification(ground.profile)) as box:
        faults = second_opinion.compare(settings, box)
    for fault in faults:
        print(f"RED {ground.runtime}/{ground.profile}: {fault}")
    return faults
