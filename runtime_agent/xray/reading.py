"""Small files of the kernel, read whole, and what is made of hostile text."""

from __future__ import annotations

import ctypes
import errno
import os
import struct

MAX_BYTES = 256 * 1024
MAX_TEXT = 200
_READ = os.O_RDONLY | os.O_CLOEXEC
_libc = ctypes.CDLL(None, use_errno=True)


def read(path: str, dir_fd: int | None = None, limit: int = MAX_BYTES) -> bytes:
    """The beginning of a file; b"" for one that can't be read: the process has just ended, the group is gone."""
    try:
        descriptor = os.open(path, _READ, dir_fd=dir_fd)
    except OSError:
        return b""
    try:
        content = os.read(descriptor, 16384)
        while 64 < len(content) < limit and (more := os.read(descriptor, 65536)):  # a longer file comes in pieces
            content += more
        return content
    except OSError:
        return b""
    finally:
        os.close(descriptor)


def read_number(path: str) -> int | None:
    """One number; None for "max", for -1 and for no such file."""
    content = read(path, limit=64).strip()
    return int(content) if content.isdigit() else None


def read_fields(path: str) -> dict[str, int]:
    """Lines of "name number"."""
    pairs = (line.split() for line in read(path).decode("ascii", "replace").splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}


def link_id(name: str, dir_fd: int) -> int:
    """The number in a link like ``pid:[4026531836]``; 0 if it leads nowhere."""
    try:
        return int(os.readlink(name, dir_fd=dir_fd).rpartition("[")[2][:-1])
    except (OSError, ValueError):
        return 0


def clean(raw: bytes | str, limit: int = MAX_TEXT) -> str:
    """Fit to be shown: printable, and no longer than ``limit`` characters."""
    text = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else raw
    text = text[:limit + 1]
    if not text.isprintable():
        text = "".join(letter if letter.isprintable() else "�" for letter in text)
    return text if len(text) <= limit else text[:limit - 1] + "…"


def file_system_magic(descriptor: int) -> int:
    """f_type of statfs(2): what kind of file system a descriptor is on. Raises OSError."""
    buffer = ctypes.create_string_buffer(256)
    if _libc.fstatfs(ctypes.c_int(descriptor), buffer) < 0:
        raise OSError(ctypes.get_errno() or errno.EBADF, "fstatfs")
    return struct.unpack_from("l", buffer)[0]
