"""`./lab test`: all the set-up, then every stage, each with its name and its time; and `check`, `lint`, `bench`."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from deploy.lab import ground, images, overview, packages, postgres, programs, running, services, units
from deploy.lab.places import PROJECT, Places, SetupError, find, is_root
from deploy.lab.up import check_and_prepare

UNUSED_PORT = 0
BY_HAND = ("systemd", "compose")
"""Stages that run only when they are named: they take longer than all others have."""
STAGE_SECONDS = 1800.0
"""After that a stage hangs. A single test has a limit of its own (pyproject.toml), which says where it hangs."""
DRAIN_SECONDS = 5.0
COUNTS = re.compile(r"(\d+) (passed|failed|error|errors|skipped)")


@dataclass(frozen=True)
class Stage:
    """``run`` returns (exit status, the output's end)."""

    name: str
    run: Callable[[], tuple[int, str]]
    needs_root: bool = False


def test(only: list[str], rest: list[str], cgroup2: bool = False) -> int:
    """Every stage even after a red one; 0 only if all are green. ``cgroup2``: that stage only, and all of it."""
    places = find()
    check_and_prepare(places, port=UNUSED_PORT, listen="127.0.0.1", tests=True)
    if is_root():
        images.build(places, images.recipes(places))
    results, counted = [], {"passed": 0, "failed": 0, "skipped": 0}
    if cgroup2:
        only, rest = ["cgroup2"], ["--whole", *rest]
    for stage in stages(places, rest):
        if stage.name not in only if only else stage.name in BY_HAND:
            continue
        if stage.needs_root and not is_root():
            raise SetupError(f"the stage {stage.name} needs root: sudo ./lab test")
        print(f"\n=== {stage.name}", flush=True)
        began = time.monotonic()
        status, output = stage.run()
        results.append((stage.name, status, time.monotonic() - began))
        for number, word in COUNTS.findall(output[-400:]):
            counted["failed" if word.startswith("error") else word] += int(number)
    return report(results, counted)


def report(results: list[tuple[str, int, float]], counted: dict[str, int]) -> int:
    print()
    for name, status, seconds in results:
        print(f"  {'ok    ' if status == 0 else 'FAILED'}  {name:10} {seconds:7.1f} s")
    red = [name for name, status, _ in results if status]
    failed = max(counted["failed"], len(red))
    print(f"{counted['passed']} passed, {failed} failed, {counted['skipped']} skipped")
    return 1 if red or not results else 0


def stages(places: Places, rest: list[str]) -> list[Stage]:
    def pytest(folder: str, *arguments: str) -> Callable[[], tuple[int, str]]:
        return lambda: python(places, "-m", "pytest", *arguments, *folder.split(), *rest, limit=STAGE_SECONDS)

    return [
        Stage("unit", pytest("tests/web tests/agent tests/docs tests/deploy", "-n", "auto", "--dist", "loadfile")),
        Stage("operator", pytest("tests/operator")),
        Stage("postgres", lambda: on_postgres(places, ["-n", "auto", "--dist", "loadfile", *rest])),
        Stage("frontend", lambda: front_end(places)),
        Stage("code", lambda: python(places, "-m", "ruff", "check", "--no-cache", ".")),
        Stage("lint", lambda: python(places, "-m", "labs.course", "lint", "labs/content")),
        Stage("sandbox", pytest("tests/sandbox", "-p", "no:django"), needs_root=True),
        Stage("faults", pytest("tests/faults", "-p", "no:django"), needs_root=True),
        Stage("cgroup2", lambda: python(places, "-m", "tests.rig", *rest), needs_root=True),
        Stage("labs", lambda: check(places, [], STAGE_SECONDS), needs_root=True),
        Stage("browser", pytest("tests/browser"), needs_root=True),
        Stage("systemd", lambda: boot(places, rest), needs_root=True),
        Stage("compose", lambda: on_docker(places, rest), needs_root=True)]


def boot(places: Places, rest: list[str]) -> tuple[int, str]:
    """The units on a machine of their own, which boots twice."""
    packages.install(packages.BOOT)
    return python(places, "-m", "pytest", "tests/boot", "-p", "no:django", "--timeout=0", *rest)


def on_docker(places: Places, rest: list[str]) -> tuple[int, str]:
    """docker-compose.yml on a dockerd of its own."""
    packages.install(packages.COMPOSE)
    return python(places, "-m", "pytest", "tests/compose", "-p", "no:django", "--timeout=0", *rest)


def on_postgres(places: Places, arguments: list[str]) -> tuple[int, str]:
    """The site's tests once more, on a PostgreSQL that lives as long as they do."""
    with postgres.running() as url:
        return python(places, "-m", "pytest", "tests/web", "tests/operator", *arguments,
                      environment={**test_environment(places), "BULKHEAD_DATABASE_URL": url}, limit=STAGE_SECONDS)


def python(places: Places, *arguments: str, environment: dict[str, str] | None = None,
           limit: float | None = None) -> tuple[int, str]:
    """Run Python in the project, print what it prints as it comes, and return (status, output). It is killed after
    ``limit`` seconds; what it has left behind may still hold its output open, and is not waited for."""
    child = subprocess.Popen([str(places.python), *arguments], cwd=places.project,
                             env=environment or test_environment(places), stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    child.stdin.close()
    lines: list[str] = []
    printer = threading.Thread(target=_print_lines, args=(child.stdout, lines), daemon=True)
    printer.start()
    try:
        status = child.wait(limit)
    except subprocess.TimeoutExpired:
        child.kill()
        status = child.wait() or 1
        print(f"stopped: not over after {limit:.0f} s", flush=True)
    printer.join(DRAIN_SECONDS)
    return status, "".join(lines)


def _print_lines(source: TextIO, lines: list[str]) -> None:
    for line in source:
        print(line, end="", flush=True)
        lines.append(line)


def test_environment(places: Places) -> dict[str, str]:
    """The caches of this installation, and nothing of a site that may be running in it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BULKHEAD_")}
    return {**kept, **services.shared_environment(places), "HOME": os.environ.get("HOME", "/root"),
            "BULKHEAD_REQUIRE_SANDBOX": "1", "BULKHEAD_RUN_DIR": f"{places.run}-test",
            "BULKHEAD_REDIS_URL": f"unix://{places.run}-test/redis.sock?db=0"}


def front_end(places: Places) -> tuple[int, str]:
    """The JavaScript tests, in the build folder and as its user; node prints its counts in words of its own."""
    if not (places.build / "node_modules").is_dir():
        programs.build_front_end(places)
    programs.bring_tests(places)
    try:
        output = programs.npm(places, ["test"])
    except SetupError as error:
        print(error)
        return 1, str(error)
    found = {word: int(number) for word, number in re.findall(r"^\S*\s*(pass|fail) (\d+)$", output, re.MULTILINE)}
    line = f"{found.get('pass', 0)} passed, {found.get('fail', 0)} failed"
    print(line)
    return 0 if found.get("pass") and not found.get("fail") else 1, line


def check(places: Places, paths: list[str], limit: float | None = None) -> tuple[int, str]:
    """Solve the labs: publish them into a folder of their own, then drive real sandboxes through them."""
    with tempfile.TemporaryDirectory(prefix="bulkhead-check-") as folder:
        os.chmod(folder, 0o755)  # noqa: S103  (a sandbox's mapped root must see it)
        published = subprocess.run(
            [str(places.python), "-m", "labs.course", "publish", folder, *(paths or ["labs/content"])],
            cwd=places.project, env=test_environment(places), stdin=subprocess.DEVNULL, text=True,
            capture_output=True, check=False)
        if published.returncode:
            print(published.stdout + published.stderr)
            return published.returncode, published.stderr
        for line in published.stdout.splitlines():
            print(line)
        digests = [line.split()[0] for line in published.stdout.splitlines() if line.strip()]
        environment = {**test_environment(places), "BULKHEAD_CGROUP": "bulkhead-check", "BULKHEAD_SLOT_BASE": "20000"}
        status, output = python(places, "-m", "runtime_agent", "check-labs", "--content", folder, *digests,
                                environment=environment, limit=limit)
    overview.note(places, output)
    return status, output


def attack(places: Places, arguments: list[str]) -> tuple[int, str]:
    """Run an attack list as the installed agent would; should it be killed, a running agent cleans up behind it."""
    environment = {**test_environment(places), "BULKHEAD_RUN_DIR": str(places.run)}
    return python(places, "-m", "runtime_agent", "attacks", *arguments, environment=environment)


def prepared() -> Places:
    """The places of an installation whose programs are there."""
    places = find()
    if not places.python.exists():
        raise SetupError("nothing is set up yet: sudo ./lab up or sudo ./lab test does it")
    return places


def current() -> Places:
    """The same for commands that are about the checkout. Where a copy of it is run (places.py), that is made anew, unless a
    site runs from it."""
    places = prepared()
    if places.project != PROJECT and not running.running_pid(places) and not units.are_running():
        ground.copy_code(places.project)
    return places


def fuzz(places: Places, cases: int, rest: list[str]) -> int:
    """The fuzz and property tests of the terminal path with many more cases, and other ones at each call."""
    seed = secrets.randbits(32)
    print(f"seed {seed}", flush=True)
    environment = {**test_environment(places), "BULKHEAD_FUZZ_CASES": str(cases), "BULKHEAD_FUZZ_SEED": str(seed),
                   "BULKHEAD_INTERLEAVINGS": str(max(100, cases // 100))}
    return python(places, "-m", "pytest", "-n", "auto", "--dist", "worksteal", "tests/web/test_terminal_fuzz.py",
                  "tests/web/test_terminal_interleavings.py", *rest, environment=environment)[0]


def bench(name: str, rest: list[str]) -> int:
    """Run tests/bench/NAME.py by hand."""
    places = current()
    script = Path("tests/bench") / f"{name}.py"
    if not (places.project / script).is_file():
        known = ", ".join(sorted(path.stem for path in (places.project / "tests/bench").glob("*.py"))) or "none yet"
        raise SetupError(f"no bench {name!r}; there is: {known}")
    return python(places, str(script), *rest)[0]
