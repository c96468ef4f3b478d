"""Typing into a sandbox's terminal as a person does, and knowing when it is ready for the next line.

Used by the lab test only. "Ready" is one of two facts, never a pause: the shell printed a new prompt (mark
OSC 133;B of our shell integration), or the terminal's foreground process sleeps in a read of that terminal
(/proc/<pid>/syscall), which is how a continuation line, a ``cat`` or a nested shell without marks is recognised.
A command that does neither within the time allowed is left running and the next line is typed ahead of it, as
the page's click-to-run does.
"""

from __future__ import annotations

import fcntl
import os
import platform
import select
import struct
import termios
import time

PROMPT_MARK = b"\x1b]133;B"
KEEP_BYTES = 64 * 1024
QUIET_SECONDS = 0.2
SYSCALLS = {  # read, and the ways of waiting before a read: asm/unistd.h
    "x86_64": {"read": "0", "wait": {"7", "23", "270", "271", "232", "281"}},
    "aarch64": {"read": "63", "wait": {"72", "73", "22"}},
}.get(platform.machine(), {"read": "", "wait": set()})


class Keyboard:
    """Drives one PTY master. Nobody else may read it meanwhile."""

    def __init__(self, master: int):
        self.master = master
        self.screen = b""
        self.prompts = 0

    def type_line(self, line: str, timeout_seconds: float) -> None:
        """Type one line with Return, then wait until the terminal is ready or the time is over."""
        self.read_for(0)
        prompts = self.prompts
        self._write(line.encode() + b"\r")
        self.wait_ready(prompts, timeout_seconds)

    def interrupt(self, timeout_seconds: float = 5.0) -> None:
        """Press Ctrl-C."""
        self.read_for(0)
        prompts = self.prompts
        self._write(b"\x03")
        self.wait_ready(prompts, timeout_seconds)

    def wait_ready(self, prompts_before: int, timeout_seconds: float) -> bool:
        """Wait for a prompt beyond ``prompts_before``, or for a quiet program that reads the terminal."""
        deadline = time.monotonic() + timeout_seconds
        while time.monotonic() < deadline:
            was_quiet = not self.read_for(QUIET_SECONDS)
            if self.prompts > prompts_before or (was_quiet and self._is_read_from()):
                return True
        return False

    def read_for(self, seconds: float) -> bool:
        """Take in what the terminal prints within ``seconds``, or at once when it does; was there any?"""
        any_read = False
        while select.select([self.master], [], [], 0 if any_read else seconds)[0]:
            try:
                chunk = os.read(self.master, 65536)
            except OSError:  # EIO: the last process of the terminal is gone
                break
            seam = self.screen[-len(PROMPT_MARK) + 1:]
            self.prompts += (seam + chunk).count(PROMPT_MARK)
            self.screen = (self.screen + chunk)[-KEEP_BYTES:]
            any_read = True
        return any_read

    def tail(self, lines: int = 15) -> str:
        """The end of the screen for a report, escape sequences made visible."""
        text = self.screen.decode(errors="replace").replace("\r", "")
        return "\n".join(text.splitlines()[-lines:]).replace("\x1b", "^[").replace("\x07", "^G")

    def _write(self, keys: bytes) -> None:
        while keys:
            self.read_for(0)  # a program that echoes must not fill the terminal while we wait to write
            if select.select([], [self.master], [], 1.0)[1]:
                keys = keys[os.write(self.master, keys[:512]):]

    def _is_read_from(self) -> bool:
        """Does a process of the foreground group sleep in a read of this terminal?"""
        try:
            group = struct.unpack("i", fcntl.ioctl(self.master, termios.TIOCGPGRP, b"\0" * 4))[0]
        except OSError:
            return False
        return any(_reads_terminal(pid) for pid in _group_members(group))


def _group_members(group: int) -> list[int]:
    members = []
    for name in os.listdir("/proc"):
        try:
            if name.isdigit() and os.getpgid(int(name)) == group:
                members.append(int(name))
        except ProcessLookupError:
            continue
    return members


def _reads_terminal(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/syscall") as file:
            number, *arguments = file.read().split()
        descriptor = int(arguments[0], 16) if number == SYSCALLS["read"] else 0
        waits = number == SYSCALLS["read"] or number in SYSCALLS["wait"]
        return waits and os.readlink(f"/proc/{pid}/fd/{descriptor}").startswith("/dev/pts/")
    except (OSError, ValueError, IndexError):
        return False
