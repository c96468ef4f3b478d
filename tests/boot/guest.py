"""Runs inside the machine as its last unit and says on the console what it sees: ``BOOT <what> <value>`` a line, then off.

Only Python's standard library: this is the guest's own Python, beside a Bulkhead that `./lab install` sets up.
"""

from __future__ import annotations

import contextlib
import http.cookiejar
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path

SITE = "http://127.0.0.1:8000"
LESSON = f"{SITE}/learn/virtualization-and-containers/containers/a-container-is-a-process/"
UNITS = ("redis", "web", "worker", "bridge", "tunnel", "control")
AGENT = ("control", "bridge", "tunnel")
STATE = Path("/var/lib/bulkhead")
KEPT = Path("/root/session")
SANDBOX_IDS = 0x70000000
"""The first user id of any sandbox (docs/sandbox.md, "Users")."""


def say(what: str, value: object) -> None:
    print("BOOT", what, value, flush=True)


def out(*command: str) -> str:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          cwd="/srv/bulkhead", env={**os.environ, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}, check=False)
    return done.stdout.strip()


def wait(condition, seconds: float, what: str):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.5)
    raise TimeoutError(what)


def states(units=UNITS) -> str:
    return " ".join(out("systemctl", "is-active", *(f"bulkhead-{name}" for name in units)).split())


class Browser:
    """Cookies and the token that Django's forms want."""

    def __init__(self):
        self.cookies = http.cookiejar.CookieJar()
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.cookies))

    def get(self, address: str) -> str:
        return self.opener.open(address, timeout=120).read().decode()

    def post(self, address: str, page: str) -> str:
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', self.get(page))[1]
        form = urllib.parse.urlencode({"csrfmiddlewaretoken": token}).encode()
        request = urllib.request.Request(address, form, {"Referer": page, "Origin": SITE})
        return self.opener.open(request, timeout=120).read().decode()


def sandbox_processes() -> set[int]:
    """The machine's numbers of every conmon and of everything that runs with a sandbox's ids."""
    found = set()
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                if folder.stat().st_uid >= SANDBOX_IDS or (folder / "comm").read_text() == "conmon\n":
                    found.add(int(folder.name))
            except OSError:
                continue
    return found


def install() -> None:
    (STATE / "settings.env").write_text("BULKHEAD_WARM=0\n")  # what runs is the student's, and no spare
    began = time.monotonic()
    printed = out("/srv/bulkhead/lab", "install")
    link = re.search(r"(http://\S+/accounts/one-time/\S+)", printed)
    say("installed", bool(link))
    if not link:
        print(printed[-3000:])
        return
    say("install-seconds", round(time.monotonic() - began))
    say("active", states())
    say("enabled", out("systemctl", "is-enabled", "bulkhead.target"))
    browser = Browser()
    browser.post(link[1], link[1])
    browser.post(f"{LESSON}sessions/", LESSON)
    session = re.search(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", browser.get(LESSON))[0]

    def state() -> dict:
        return json.loads(browser.get(f"{SITE}/sessions/{session}/"))
    wait(lambda: state()["state"] in ("ready", "failed"), 240, "the sandbox")
    say("sandbox", state()["state"])
    if state()["state"] == "failed":
        print(state())
    before = sandbox_processes()
    say("processes", len(before))
    out("systemctl", "restart", *(f"bulkhead-{name}" for name in AGENT))
    say("after-restart", states(AGENT))
    say("kept-by-restart", before <= sandbox_processes())
    for name in AGENT:
        os.kill(int(out("systemctl", "show", "-p", "MainPID", "--value", f"bulkhead-{name}")), signal.SIGKILL)
    wait(lambda: states(AGENT) == "active active active", 240, "the agent after its kill")
    say("kept-by-kill", before <= sandbox_processes())
    say("still", state()["state"])
    KEPT.write_text(json.dumps([session, {cookie.name: cookie.value for cookie in browser.cookies}]))


def again() -> None:
    """The same disk's second boot: nobody starts anything by hand."""
    def answers() -> bool:
        try:
            return urllib.request.urlopen(f"{SITE}/readyz", timeout=30).status == 200
        except OSError:
            return False
    wait(answers, 240, "the site")
    wait(lambda: states() == " ".join(["active"] * len(UNITS)), 240, "the units")
    say("active", states())
    session, cookies = json.loads(KEPT.read_text())
    request = urllib.request.Request(f"{SITE}/sessions/{session}/", headers={
        "Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())})

    def state() -> dict:
        return json.loads(urllib.request.urlopen(request, timeout=60).read())
    with contextlib.suppress(TimeoutError):
        wait(lambda: state()["state"] not in ("ready", "ending"), 120, "word of the sandbox")
    say("sandbox", f"{state()['state']} {state().get('reason', '')}".strip())
    (STATE / "settings.env").unlink()
    say("upgraded", "Bulkhead is at" in out("/srv/bulkhead/lab", "install"))
    say("after-upgrade", states())
    urllib.request.urlopen(LESSON, timeout=120).read()  # whose lab may be started next
    say("spares", bool(wait(sandbox_processes, 240, "spares")))
    uninstall()


def uninstall() -> None:
    say("uninstalled", "The units are gone" in out("/srv/bulkhead/lab", "uninstall"))
    say("units", len(list(Path("/etc/systemd/system").glob("bulkhead*"))))
    say("processes-left", len(sandbox_processes()))
    say("data", (STATE / "web/db.sqlite3").exists())
    say("uninstalled-again", "Everything of Bulkhead's is gone" in out("/srv/bulkhead/lab", "uninstall", "--data"))
    say("data-left", STATE.exists() or "bulkhead" in Path("/etc/passwd").read_text())


def main() -> None:
    part = Path(sys.argv[1]).read_text().strip()
    try:
        say("systemd", out("systemctl", "is-system-running"))
        say("cgroup", Path("/sys/fs/cgroup/cgroup.controllers").read_text().strip())
        {"install": install, "again": again}[part]()
    except Exception as error:  # noqa: BLE001  (what went wrong is what the console is for)
        say("error", f"{type(error).__name__}: {error}")
    for name in UNITS:
        print(out("journalctl", "-q", "--no-pager", "-o", "cat", "-n", "15", "-u", f"bulkhead-{name}"))
    say("uptime", round(float(Path("/proc/uptime").read_text().split()[0])))
    out("systemctl", "--no-block", "poweroff")


if __name__ == "__main__":
    main()
