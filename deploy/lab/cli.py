"""The commands of `./lab`."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from deploy.lab import backups, down, host, images, install, overview, running, services, table, testing, up, worker
from deploy.lab.places import SetupError, find, is_root, user_ids

STAGES = ("unit", "operator", "postgres", "frontend", "code", "lint", "sandbox", "faults", "cgroup2", "labs", "browser",
          *testing.BY_HAND)


def main(argv: list[str]) -> int:
    arguments = parser().parse_args(argv)
    try:
        return arguments.do(arguments)
    except SetupError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="./lab", description="Sets Bulkhead up, runs it, tests it.")
    commands = top.add_subparsers(metavar="COMMAND", required=True)

    def add(name: str, text: str, do) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(do=do)
        return command

    for group in (running_it, keeping_it, testing_it, content, on_the_host):
        group(add)
    return top


def running_it(add) -> None:
    for name, text, do in (
            ("up", "set up what is missing and run the site (with root: and its sandboxes)", up.up),
            ("install", "write units for systemd and start them: site or worker host run at boot (needs root)", install.install)):
        command = add(name, text, lambda a, do=do: do(a.port, a.listen))
        command.add_argument("--port", type=port, default=8000, help="1 to 65535, default 8000")
        command.add_argument("--listen", default="127.0.0.1", help="address to listen on, default 127.0.0.1 (this machine only)")
    gone = add("uninstall", "take the units away again; what students did is kept", lambda a: install.uninstall(a.data))
    gone.add_argument("--data", action="store_true", help="also remove everything that students did, and the user")
    end = add("down", "stop the site or the worker host that runs here; students' sandboxes run on",
              lambda a: down.down(a.sandboxes))
    end.add_argument("--sandboxes", action="store_true", help="stop these too, as a power cut would: their files are kept")
    worker.arguments(add("worker", "join a site as a worker host, run as one, leave; at the site: tokens and hosts (needs root)",
                         worker.worker))
    part = add("prepare", "install the programs of one part and start nothing: for container images",
               lambda a: worker.prepare(a.part))
    part.add_argument("part", choices=worker.PARTS)
    doctor = add("doctor", "what this machine has and lacks; changes nothing", run_doctor)
    doctor.add_argument("--port", type=port, default=8000)


def keeping_it(add) -> None:
    save = add("backup", "write the whole site into one file: rows, published labs, courses of its own, its key",
               lambda a: backups.backup(testing.prepared(), a.file, a.password_file))
    back = add("restore", "fill this installation from a backup; the site must not run meanwhile",
               lambda a: backups.restore(testing.prepared(), a.file, a.password_file, a.replace))
    for command in (save, back):
        command.add_argument("file", type=Path)
        command.add_argument("--password-file", type=Path, help="encrypts; the first line is the password")
    back.add_argument("--replace", action="store_true", help="throw away what is in this installation first")
    manage = add("manage", "run manage.py of the installed site", run_manage)
    manage.add_argument("rest", nargs=argparse.REMAINDER)


def testing_it(add) -> None:
    test = add("test", "set up what is missing and run every test", lambda a: testing.test(a.only or [], a.rest, a.cgroup2))
    test.add_argument("--only", action="append", choices=STAGES, help="run only this stage; may be repeated")
    test.add_argument("--cgroup2", action="store_true", help="run only the sandbox tests on cgroup version 2, in an emulated "
                      "machine, and all of them that can run there: an hour and more")
    test.add_argument("rest", nargs="*", help="further arguments for pytest, after --")
    attacks = add("attacks", "run an attack list in fresh sandboxes; a verdict per row (needs root)", run_attacks)
    attacks.add_argument("list", nargs="?", type=Path, metavar="FILE.tsv", help="default: tests/sandbox/attacks.tsv")
    attacks.add_argument("--profile", choices=("standard", "nested"), help="default: both")
    attacks.add_argument("--runtime", help="default: every one that this machine has")
    bench = add("bench", "run a measurement of tests/bench", lambda a: testing.bench(a.name, a.rest))
    bench.add_argument("name")
    bench.add_argument("rest", nargs=argparse.REMAINDER)
    fuzz = add("fuzz", "malformed frames and interleavings of a terminal, many more than the tests try",
               lambda a: testing.fuzz(testing.current(), a.cases, a.rest))
    fuzz.add_argument("cases", nargs="?", type=int, default=100_000,
                      help="frames for each decoder; a hundredth of it interleavings")
    fuzz.add_argument("rest", nargs="*", help="further arguments for pytest, after --")


def content(add) -> None:
    check = add("check", "solve labs in real sandboxes as a person would (needs root)", run_check)
    check.add_argument("paths", nargs="*", help="lessons or courses; default: all of labs/content")
    lint = add("lint", "read lessons and labs; file and line of each finding", run_lint)
    lint.add_argument("--claims", action="store_true",
                      help="list each claim with the lessons and tasks that make it good; 1 if one has none")
    lint.add_argument("paths", nargs="*")
    add("overview", "write docs/course.md: every lesson, claim and image, with what was measured here last",
        lambda a: overview.write(testing.current()))


def on_the_host(add) -> None:
    facts = add("facts", "what the host's kernel knows about a running session, as JSON (needs root)", run_facts)
    facts.add_argument("rest", nargs=argparse.REMAINDER, metavar="SESSION [EXPRESSION]")
    image = add("image", "list, build, verify, import and clean up what sandboxes are made from (needs root)",
                lambda a: images.command(testing.prepared(), a.action, a.rest))
    image.add_argument("action", choices=("list", "build", "verify", "gc", "import"))
    image.add_argument("rest", nargs="*", metavar="NAME", help="build [NAME ...], verify NAME, import NAME SOURCE")


def port(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 65535:
        raise argparse.ArgumentTypeError("a port is 1 to 65535")
    return number


def run_doctor(arguments: argparse.Namespace) -> int:
    """The rows of `up` in the words of a diagnosis, and the agent's own once it is installed."""
    places = find()
    services.take_settings(places)
    words = {"ok": "PASS", "will install": "CAUTION", "can't": "FAIL", "CAUTION": "CAUTION"}
    rows = host.look(places, arguments.port, "127.0.0.1", up.wanted_packages())
    if pid := running.running_pid(places):
        rows = [row for row in rows if row.name != "Port"] + [table.Row("ok", "Site", f"runs, pid {pid}")]
    rows = [table.Row(words[row.state], row.name, row.found, row.fix or ("sudo ./lab up" if row.state != "ok" else ""))
            for row in rows]
    table.show(rows)
    agent = 0
    if is_root() and places.python.exists():
        agent = subprocess.run([str(places.python), "-m", "runtime_agent", "doctor"], cwd=places.project, check=False,
                               env=services.shared_environment(places)).returncode
    return 1 if agent or any(row.state == "FAIL" for row in rows) else 0


def run_check(arguments: argparse.Namespace) -> int:
    if not is_root():
        raise SetupError("labs are solved in real sandboxes, which need root: sudo ./lab check")
    return testing.check(testing.current(), arguments.paths)[0]


def run_attacks(arguments: argparse.Namespace) -> int:
    if not is_root():
        raise SetupError("attacks run in real sandboxes, which need root: sudo ./lab attacks")
    chosen = [f"--{name}={value}" for name in ("profile", "runtime") if (value := getattr(arguments, name))]
    files = [str(arguments.list.absolute())] if arguments.list else []
    return testing.attack(testing.current(), [*chosen, *files])[0]


def run_lint(arguments: argparse.Namespace) -> int:
    options = ["--claims"] if arguments.claims else []
    return testing.python(testing.current(), "-m", "labs.course", "lint", *options, *(arguments.paths or ["labs/content"]))[0]


def run_facts(arguments: argparse.Namespace) -> int:
    if not is_root():
        raise SetupError("facts are read from the kernel, which needs root: sudo ./lab facts")
    places = testing.prepared()
    return subprocess.run([str(places.python), "-m", "runtime_agent", "facts", *arguments.rest], cwd=places.project,
                          check=False, env=services.shared_environment(places)).returncode


def run_manage(arguments: argparse.Namespace) -> int:
    places = testing.prepared()
    address = services.take_settings(places)
    owner = user_ids()
    identity = {"user": owner[0], "group": owner[1], "extra_groups": []} if owner else {}
    return subprocess.run([str(places.python), "manage.py", *arguments.rest], cwd=places.project, check=False,
                          env=services.site_environment(places, address), **identity).returncode
