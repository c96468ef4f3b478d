"""Small files of the kernel, read whole, and what is made of hostile text."""

from __future__ import annotations

import ctypes
import errno
import os
import struct

MAX_BYTES = 256 * 1024
MAX_TEXT = 200
SYS_OPENAT2 = 437
RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS, RESOLVE_IN_ROOT = 0x02, 0x04, 0x10
"""linux/openat2.h."""
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


def open_inside(root: int, path: str, *, follow: bool = True) -> int:
    """An O_PATH descriptor of ``path`` below the folder ``root``, which a student may have prepared. Close it.

    No symbolic link leads out of the root, and with ``follow=False`` none is followed at all; O_PATH opens nothing that
    could answer (a FIFO, a device). Raises OSError. openat2(2), kernel 5.6.
    """
    resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | (0 if follow else RESOLVE_NO_SYMLINKS)
    how = struct.pack("QQQ", os.O_PATH | os.O_CLOEXEC, 0, resolve)
    descriptor = _libc.syscall(ctypes.c_long(SYS_OPENAT2), ctypes.c_int(root), ctypes.c_char_p(os.fsencode(path)),
                               ctypes.c_char_p(how), ctypes.c_size_t(len(how)))
    if descriptor < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), path)
    return descriptor


def file_system_magic(descriptor: int) -> int:
    """f_type of statfs(2): what kind of file system a descriptor is on. Raises OSError."""
    buffer = ctypes.create_string_buffer(256)
    if _libc.fstatfs(ctypes.c_int(descriptor), buffer) < 0:
        raise OSError(ctypes.get_errno() or errno.EBADF, "fstatfs")
    return struct.unpack_from("l", buffer)[0]
