"""The QEMU Machine Protocol: one JSON object a line over a local socket. Used by the commands vm and qmp.

A monitor greets, wants ``qmp_capabilities`` first, and answers each command with "return" or "error"; events may come
between (QEMU's documentation, "QMP protocol specification").
"""

import json
import socket

MIB = 1 << 20


class MonitorError(Exception):
    """The monitor can't be reached, or it refused a command; the text is for the student."""


class Monitor:
    """A connection to a running QEMU. ``show`` gets each line as it goes over the socket, with its direction."""

    def __init__(self, path, show=lambda direction, line: None, seconds=20):
        self.show, self.events = show, []
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(seconds)
        try:
            self.socket.connect(str(path))
        except OSError as error:
            raise MonitorError(f"no QEMU listens at {path}: {error.strerror}") from None
        self.lines = self.socket.makefile("rw", encoding="utf-8")
        self._receive()
        self.ask("qmp_capabilities")

    def ask(self, command, arguments=None):
        """Send a command and return what it returns. Raises MonitorError with QEMU's own words."""
        message = {"execute": command, **({"arguments": arguments} if arguments else {})}
        self._send(message)
        while True:
            answer = self._receive()
            if "event" in answer:
                self.events.append(answer["event"])
            elif "error" in answer:
                raise MonitorError(answer["error"]["desc"])
            else:
                return answer.get("return")

    def human(self, line):
        """A command of QEMU's monitor for people, such as savevm, that has no form of its own in QMP."""
        return self.ask("human-monitor-command", {"command-line": line})

    def _send(self, message):
        line = json.dumps(message)
        self.show("->", line)
        try:
            self.lines.write(line + "\n")
            self.lines.flush()
        except OSError:
            raise MonitorError("QEMU closed the connection") from None

    def _receive(self):
        try:
            line = self.lines.readline()
        except TimeoutError:
            raise MonitorError("QEMU does not answer") from None
        except OSError:
            line = ""
        if not line:
            raise MonitorError("QEMU closed the connection")
        self.show("<-", line.strip())
        return json.loads(line)


def value_of(text):
    """An argument as QMP wants it: 64M becomes bytes, numbers and JSON what they say, the rest stays text."""
    if text[:-1].isdigit() and text[-1] in "MG":
        return int(text[:-1]) * MIB * (1024 if text[-1] == "G" else 1)
    try:
        return json.loads(text)
    except ValueError:
        return text
