"""Runs the services in the foreground: one log, restarts, one clean stop.

A service that ends is started again, at once the first time and then after up to 10 s. Sandboxes are no
services: they belong to their own conmon, outlive this process, and are found again by the next one.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from typing import TextIO

from deploy.lab import running
from deploy.lab.places import Places, SetupError, user_ids
from deploy.lab.services import Service

STOP_SECONDS = 15.0
STEADY_SECONDS = 30.0
MAX_WAIT_SECONDS = 10.0
START_SECONDS = 20.0


class Supervisor:
    """``run`` returns when SIGINT or SIGTERM has come or the terminal was closed, everything has ended, and what is to follow
    that has been done."""

    def __init__(self, places: Places, services: list[Service], log: TextIO):
        self.places, self.services, self.log = places, services, log
        self.running: dict[str, asyncio.subprocess.Process] = {}
        self.stopping = asyncio.Event()

    async def run(self, when_up, when_down=lambda: None) -> int:
        """``when_down`` is called in a thread when all have ended, before anybody else may start here."""
        loop = asyncio.get_running_loop()
        closed = [] if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else [signal.SIGHUP]  # ignored: that was nohup
        for number in (signal.SIGINT, signal.SIGTERM, *closed):
            loop.add_signal_handler(number, self.stopping.set)
        running.note(self.places)
        keepers = []
        try:
            for service in self.services:
                keepers.append(asyncio.create_task(self.keep(service)))
                await self.wait_for(service)
            await when_up(self)
            await self.stopping.wait()
        finally:
            self.stopping.set()
            self.say("lab", "stopping")
            for service in reversed(self.services):
                await self.stop(service.name)
            await asyncio.gather(*keepers, return_exceptions=True)
            await asyncio.to_thread(when_down)
            running.forget(self.places)
        return 0

    async def keep(self, service: Service) -> None:
        """Start the service, again and again until we stop."""
        wait = 0.0
        while not self.stopping.is_set():
            began = time.monotonic()
            end = await self.run_once(service)
            if self.stopping.is_set():
                return
            self.say("lab", f"{service.name} {end}, starting it again")
            wait = 0.2 if time.monotonic() - began > STEADY_SECONDS else min(MAX_WAIT_SECONDS, wait * 2 + 0.2)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.stopping.wait(), wait)

    async def run_once(self, service: Service) -> str:
        """How it ended, in words."""
        try:
            child = await self.start(service)
        except OSError as error:  # no memory or no place for one more process, which may pass
            return f"could not be started ({error})"
        copying = asyncio.create_task(self.copy_output(service.name, child))
        if self.stopping.is_set():  # stop() was here while it was being started
            await self.stop(service.name)
        await copying
        return f"ended with status {await child.wait()}"

    async def start(self, service: Service) -> asyncio.subprocess.Process:
        if service.waits_for:
            service.waits_for.unlink(missing_ok=True)
        owner = None if service.as_root else user_ids()
        identity = {"user": owner[0], "group": owner[1], "extra_groups": []} if owner else {}
        child = await asyncio.create_subprocess_exec(
            *service.command, cwd=self.places.project, env=service.environment, start_new_session=True,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, **identity)
        self.running[service.name] = child
        running.note(self.places, [each.pid for each in self.running.values()])
        return child

    async def wait_for(self, service: Service) -> None:
        """The next service may need what this one offers."""
        deadline = time.monotonic() + START_SECONDS
        while service.waits_for and not service.waits_for.exists():
            if time.monotonic() > deadline:
                raise SetupError(f"{service.name} did not come up; see {self.log.name}")
            await asyncio.sleep(0.05)

    async def copy_output(self, name: str, child: asyncio.subprocess.Process) -> None:
        while True:
            try:
                line = await child.stdout.readline()
            except ValueError:  # a line longer than the buffer: it is dropped up to its end
                continue
            if not line:
                return
            self.say(name, line.decode(errors="replace").rstrip())

    def say(self, name: str, text: str) -> None:
        """A line that can't be written is lost: who does not read what a service says, stops it when its pipe is full."""
        line = line_of(name, text)
        with contextlib.suppress(OSError):
            self.log.write(line)
            self.log.flush()
        if self.log is not sys.stdout and (name == "lab" or os.environ.get("BULKHEAD_VERBOSE")):
            with contextlib.suppress(OSError):
                sys.stdout.write(line)
                sys.stdout.flush()

    async def stop(self, name: str) -> None:
        child = self.running.get(name)
        if child is None or child.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGTERM)
        try:
            await asyncio.wait_for(child.wait(), STOP_SECONDS)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            await child.wait()


def line_of(name: str, text: str) -> str:
    """With BULKHEAD_LOG_FORMAT=json every line is one object: a process's own as it is, anything else wrapped."""
    if os.environ.get("BULKHEAD_LOG_FORMAT") != "json":
        return f"{name:8} {text}\n"
    return f"{text}\n" if text.startswith('{"process": ') else json.dumps({"process": name, "event": text}) + "\n"
