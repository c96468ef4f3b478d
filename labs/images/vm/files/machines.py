"""Virtual machines of this lab: each is one QEMU process with a folder of its own in /run/vm.

    pid        QEMU's process number
    monitor    its QMP socket; watch is a second one, for those who only look
    serial     the guest's serial line; whoever is connected is at its console
    console    everything the guest has printed there
    boot       milliseconds from QEMU's start to the guest's first prompt
"""

import os
import re
import select
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from qmp import Monitor, MonitorError

FOLDER = Path("/run/vm")
KERNEL, INITRD = "/opt/vm/vmlinuz", "/opt/vm/initrd.gz"
PROMPT = b"guest# "
BOOT_SECONDS = 90
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,20}")


class MachineError(Exception):
    """A sentence for the student."""


class Machine:
    """One virtual machine by its name, running or not."""

    def __init__(self, name):
        if not NAME.fullmatch(name):
            raise MachineError(f"{name!r} is no name: small letters, digits and dashes")
        self.name, self.folder = name, FOLDER / name
        self.monitor_path, self.serial_path = self.folder / "monitor", self.folder / "serial"
        self.console_path = self.folder / "console"

    @property
    def pid(self):
        """QEMU's number, or None if no such process lives."""
        try:
            pid = int((self.folder / "pid").read_text())
            alive = (Path("/proc") / str(pid) / "comm").read_text().startswith("qemu-system")
        except (OSError, ValueError):
            return None
        return pid if alive else None

    @property
    def boot_ms(self):
        file = self.folder / "boot"
        return int(file.read_text()) if file.exists() else None

    def status(self):
        """QEMU's word for the guest: running, paused, inmigrate, postmigrate, guest-panicked ..."""
        if self.pid is None:
            return "off"
        try:
            return Monitor(self.folder / "watch", seconds=3).ask("query-status")["status"]
        except MonitorError:
            return "no answer"

    def command(self, options):
        """The words that start QEMU; ``options`` is what ``vm start`` was given."""
        cpus = str(options.cpus)
        if options.max_cpus > options.cpus:
            cpus += f",maxcpus={options.max_cpus},sockets={options.max_cpus},cores=1,threads=1"
        words_for_guest = [f"console=ttyS0 quiet panic={options.panic} hostname={self.name}",
                           *(["root=/dev/vda"] if options.boot_disk else []),
                           *([f"address={options.address}"] if options.address else []),
                           *([f"service={options.service}"] if options.service else [])]
        words = ["qemu-system-x86_64", "-name", f"{self.name},debug-threads=on", "-machine", "pc-q35-7.2", "-accel", "tcg,tb-size=32",
                 "-cpu", "qemu64", "-smp", cpus, "-m", options.memory, "-nodefaults", "-no-user-config", "-display", "none",
                 "-chardev", f"socket,id=serial,path={self.serial_path},server=on,wait=off,logfile={self.console_path}",
                 "-serial", "chardev:serial", "-qmp", f"unix:{self.monitor_path},server=on,wait=off",
                 "-qmp", f"unix:{self.folder / 'watch'},server=on,wait=off",
                 "-device", "virtio-balloon-pci,id=balloon0", "-device", "pcie-root-port,id=port0,chassis=1,slot=1"]
        if options.disk:
            words += ["-drive", f"file={options.disk},if=virtio,format=qcow2,cache=unsafe"]
        if options.network:
            words += ["-netdev", f"{options.network},id=net0", "-device", f"virtio-net-pci,netdev=net0,mac={self.card}"]
        if options.incoming:
            words += ["-incoming", f"unix:{self.folder / 'incoming'}"]
        return [*words, "-kernel", KERNEL, "-initrd", INITRD,
                "-append", " ".join(words_for_guest)]

    @property
    def card(self):
        """A MAC address of the locally administered range, different for each name."""
        return "52:54:00:00:%02x:%02x" % divmod(sum(ord(letter) * place for place, letter in enumerate(self.name, 1)) % 65536, 256)

    def start(self, options, extra):
        """Start QEMU in the background. Raises MachineError with QEMU's own words."""
        if self.pid is not None:
            raise MachineError(f"{self.name} runs already (process {self.pid}): vm stop {self.name}")
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        words = [*self.command(options), *extra]
        started = time.monotonic()
        with open(self.folder / "messages", "wb") as messages:
            child = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=messages, stderr=messages,
                                     start_new_session=True)
        (self.folder / "pid").write_text(f"{child.pid}\n")
        self._wait(child, started, (lambda: self.monitor_path.exists()) if options.incoming or options.no_wait else self._has_prompt)
        if not options.incoming and not options.no_wait:
            (self.folder / "boot").write_text(f"{(time.monotonic() - started) * 1000:.0f}\n")
        return words

    def _has_prompt(self):
        return self.console_path.exists() and PROMPT in self.console_path.read_bytes()

    def _moved_in(self):
        """It came from another QEMU, or from a saved state: its prompt was printed elsewhere."""
        words = (Path("/proc") / str(self.pid) / "cmdline").read_bytes().split(b"\0")
        return b"-incoming" in words or b"-loadvm" in words

    def _wait(self, child, started, is_ready):
        while not is_ready():
            if child.poll() is not None:
                raise MachineError((self.folder / "messages").read_text().strip() or f"QEMU ended with status {child.returncode}")
            if time.monotonic() - started > BOOT_SECONDS:
                raise MachineError(f"no prompt after {BOOT_SECONDS} seconds; vm log {self.name} shows how far it came")
            time.sleep(0.02)

    def stop(self):
        """End QEMU, as pulling the plug does. Does nothing if it does not run."""
        pid = self.pid
        if pid is None:
            return
        try:
            Monitor(self.monitor_path, seconds=2).ask("quit")
        except MonitorError:
            os.kill(pid, signal.SIGKILL)
        while self.pid is not None:
            time.sleep(0.02)

    def serial(self):
        """A connection to the guest's console. QEMU serves one at a time."""
        if self.pid is None:
            raise MachineError(f"{self.name} does not run: vm start {self.name}")
        line = socket.socket(socket.AF_UNIX)
        line.settimeout(1)
        try:
            line.connect(str(self.serial_path))
        except OSError:
            raise MachineError(f"the console of {self.name} is in use or gone") from None
        return line

    def run(self, command, seconds):
        """Type ``command`` at the guest's prompt; (what it printed, its exit status).

        Its status is asked for when the prompt is back: the echo of a question typed ahead falls into what it prints.
        """
        line, deadline = self.serial(), time.monotonic() + seconds
        while not (self._has_prompt() or self._moved_in() or time.monotonic() > deadline):
            time.sleep(0.1)  # it still boots
        line.sendall(b"\x03\n printf '\\001B\\n'; " + command.encode() + b"\n")
        heard, is_asked = b"", False
        end = re.compile(rb"\x01B\r?\n(.*?)\x01E(\d+)", re.DOTALL)
        while not (found := end.search(heard)):
            if time.monotonic() > deadline:
                raise MachineError(f"{self.name} did not finish within {seconds:.0f} seconds (vm log {self.name} shows its console)")
            if select.select([line], [], [], 0.2)[0]:
                chunk = line.recv(65536)
                if not chunk:
                    raise MachineError(f"{self.name} is gone, or somebody else is at its console")
                heard += chunk
            if not is_asked and PROMPT in heard.partition(b"\x01B")[2]:
                line.sendall(b" printf '\\001E%s\\n' $?\n")
                is_asked = True
        return _printed(found[1]), int(found[2])


def _printed(heard):
    """What a command printed, without the echo of the line that asked for its status."""
    text = heard.decode(errors="replace").replace("\r", "")
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
    at = text.rfind("guest# ")
    return text[:at] if at >= 0 else text


def machines():
    """Every machine that has a folder, by name."""
    return [Machine(path.name) for path in sorted(FOLDER.glob("*"))] if FOLDER.exists() else []
