"""The kernel's mount interface through ctypes: what util-linux 2.38 can't do (idmapped layers) or does slowly.

Every function is one step with the kernel's own meaning and raises OSError with the step's name. Constants are
from linux/mount.h, linux/openat2.h, linux/fs.h, linux/prctl.h and linux/loop.h; the numbers of these system calls are
the same on every architecture.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import re
import signal
import stat
import struct
from collections.abc import Sequence
from pathlib import Path

SYS_OPEN_TREE, SYS_MOVE_MOUNT, SYS_FSOPEN, SYS_FSCONFIG, SYS_FSMOUNT, SYS_MOUNT_SETATTR = 428, 429, 430, 431, 432, 442
SYS_OPENAT2 = 437
RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS, RESOLVE_IN_ROOT = 2, 4, 16
AT_FDCWD, AT_EMPTY_PATH = -100, 0x1000
OPEN_TREE_CLONE, OPEN_TREE_CLOEXEC = 1, 0o2000000
MOVE_MOUNT_F_EMPTY_PATH = 4
FSCONFIG_SET_STRING, FSCONFIG_SET_FD, FSCONFIG_CMD_CREATE = 1, 5, 6
ATTR_RDONLY, ATTR_NOSUID, ATTR_NODEV, ATTR_IDMAP = 1, 2, 4, 0x00100000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 1, 2, 4, 8, 32, 4096, 16384, 1 << 18
MNT_DETACH = 2
CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWNET = 0x00020000, 0x10000000, 0x40000000
LOOP_CTL_GET_FREE, LOOP_CONFIGURE, LO_FLAGS_AUTOCLEAR = 0x4C82, 0x4C0A, 4
LOOP_MAJOR = 7
PR_SET_PDEATHSIG = 1
FITHAW = 0xC0045878

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, step: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), step)
    return result


def _syscall(number: int, step: str, *arguments: object) -> int:
    converted = [ctypes.c_long(value) if isinstance(value, int) else value for value in arguments]
    return _check(_libc.syscall(ctypes.c_long(number), *converted), step)


def _text(value: str | Path | None) -> ctypes.c_char_p:
    return ctypes.c_char_p(None if value is None else os.fsencode(value))


def mount(source: str | Path, target: Path, kind: str, flags: int = 0, options: str = "") -> None:
    """mount(2)."""
    _check(_libc.mount(_text(source), _text(target), _text(kind), ctypes.c_ulong(flags), _text(options or None)),
           f"mount {kind} on {target}")


def bind(source: Path, target: Path, *, read_only: bool = False) -> None:
    """Show ``source`` (file or folder) at ``target``, which exists, without set-user-id and devices."""
    mount(source, target, "none", MS_BIND)
    flags = MS_BIND | MS_REMOUNT | MS_NOSUID | MS_NODEV | (MS_RDONLY if read_only else 0)
    mount("none", target, "none", flags)


def unmount(target: Path) -> None:
    """Detach the topmost mount at ``target``; nothing mounted there is no error."""
    if _libc.umount2(_text(target), MNT_DETACH) < 0 and ctypes.get_errno() not in (2, 22):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), f"unmount {target}")


def thaw(target: Path) -> None:
    """Let a frozen file system be written to again; one that is not frozen or not mounted is no error."""
    with contextlib.suppress(OSError):
        descriptor = os.open(target, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.ioctl(descriptor, FITHAW, 0)
        finally:
            os.close(descriptor)


def unshare(flags: int) -> None:
    _check(_libc.unshare(flags), "unshare")


def setns(descriptor: int, kind: int) -> None:
    _check(_libc.setns(descriptor, kind), "setns")


def open_inside(root: int | Path, path: str, flags: int = os.O_PATH, *, follow: bool = True) -> int:
    """Open ``path`` as a process whose root is the folder ``root`` would, whatever a student has put there. Close it.

    No symbolic link leads out of the root, and with ``follow=False`` none is followed at all; O_PATH opens nothing that
    could answer (a FIFO, a device). openat2(2), kernel 5.6.
    """
    resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | (0 if follow else RESOLVE_NO_SYMLINKS)
    how = struct.pack("QQQ", flags | os.O_CLOEXEC, 0, resolve)
    folder = root if isinstance(root, int) else os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return _syscall(SYS_OPENAT2, f"open {path}", folder, _text(path), ctypes.c_char_p(how), len(how))
    finally:
        if folder is not root:
            os.close(folder)


def user_namespace(base: int, size: int) -> int:
    """A descriptor of a new user namespace that maps 0..size to base..base+size. Close it.

    A child makes the namespace and dies; the descriptor keeps it. The mapping is written by us, because the
    child has lost the right to map more than itself. The child is told by a byte that it may end, not by a closed pipe:
    children of other threads that were forked meanwhile hold that pipe open too, and would wait for one another.
    """
    told_parent, tell_parent = os.pipe()
    told_child, tell_child = os.pipe()
    try:
        child = os.fork()
    except OSError:  # no place for one more process
        for descriptor in (told_parent, tell_parent, told_child, tell_child):
            os.close(descriptor)
        raise
    if child == 0:  # only raw calls from here: another thread may have held any lock at the fork
        status = _libc.unshare(CLONE_NEWUSER)
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        os.write(tell_parent, b"!" if status else b".")
        os.read(told_child, 1)
        os._exit(0)
    os.close(tell_parent)
    try:
        if os.read(told_parent, 1) != b".":
            raise OSError(1, "user namespaces are off on this host", "unshare")
        for name in ("uid_map", "gid_map"):
            Path(f"/proc/{child}/{name}").write_text(f"0 {base} {size}\n")
        return os.open(f"/proc/{child}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.write(tell_child, b".")
        os.waitpid(child, 0)
        for descriptor in (told_parent, told_child, tell_child):
            os.close(descriptor)


def idmapped_clone(path: Path, namespace: int) -> int:
    """A detached read-only copy of the mount at ``path``, seen through a user namespace. Kernel 5.12. Close it."""
    tree = _syscall(SYS_OPEN_TREE, f"open_tree {path}", AT_FDCWD, _text(path), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC)
    attributes = struct.pack("QQQQ", ATTR_IDMAP | ATTR_RDONLY | ATTR_NOSUID | ATTR_NODEV, 0, 0, namespace)
    try:
        _syscall(SYS_MOUNT_SETATTR, f"mount_setattr {path}", tree, _text(""), AT_EMPTY_PATH,
                 ctypes.c_char_p(attributes), len(attributes))
    except OSError:
        os.close(tree)
        raise
    return tree


def attach(tree: int, target: Path) -> None:
    """Give a detached mount a place in this namespace."""
    _syscall(SYS_MOVE_MOUNT, f"move_mount {target}", tree, _text(""), AT_FDCWD, _text(target), MOVE_MOUNT_F_EMPTY_PATH)


def overlay(lowers: Sequence[int], upper: Path, work: Path, target: Path) -> None:
    """Mount an overlay over detached mounts, ``lowers`` topmost first. Kernel 6.13."""
    context = _syscall(SYS_FSOPEN, "fsopen overlay", _text("overlay"), 1)
    try:
        for lower in lowers:
            _syscall(SYS_FSCONFIG, "fsconfig lowerdir+", context, FSCONFIG_SET_FD, _text("lowerdir+"), _text(None), lower)
        for key, value in (("upperdir", upper), ("workdir", work)):
            _syscall(SYS_FSCONFIG, f"fsconfig {key}", context, FSCONFIG_SET_STRING, _text(key), _text(value), 0)
        _syscall(SYS_FSCONFIG, "create overlay", context, FSCONFIG_CMD_CREATE, _text(None), _text(None), 0)
        tree = _syscall(SYS_FSMOUNT, "fsmount overlay", context, 1, ATTR_NODEV)
    finally:
        os.close(context)
    try:
        attach(tree, target)
    finally:
        os.close(tree)


def overlay_of_paths(lowers: Sequence[Path], upper: Path, work: Path, target: Path) -> None:
    """The same over folders that have paths, by mount(2), which every kernel knows: "lowerdir+" came with 6.5."""
    layers = ":".join(re.sub(r"([\\:,])", r"\\\1", str(lower)) for lower in lowers)
    mount("overlay", target, "overlay", MS_NODEV, f"lowerdir={layers},upperdir={upper},workdir={work}")


def mount_image(image: Path, target: Path, kind: str, options: str = "") -> None:
    """Mount a file system image through a free loop device that frees itself with its last mount."""
    file = os.open(image, os.O_RDWR | os.O_CLOEXEC)
    control = os.open("/dev/loop-control", os.O_RDWR | os.O_CLOEXEC)
    try:
        for _ in range(64):
            number = fcntl.ioctl(control, LOOP_CTL_GET_FREE)
            device = Path(f"/dev/loop{number}")
            with contextlib.suppress(FileExistsError):  # or another thread was offered the same number
                os.mknod(device, 0o600 | stat.S_IFBLK, os.makedev(LOOP_MAJOR, number))
            handle = os.open(device, os.O_RDWR | os.O_CLOEXEC)  # held until mounted: the last close frees it
            try:
                if _configure(handle, file, image):
                    mount(device, target, kind, MS_NOSUID | MS_NODEV, options)
                    return
            finally:
                os.close(handle)
    finally:
        os.close(control)
        os.close(file)
    raise OSError(errno.EBUSY, "no loop device could be had in 64 tries", str(image))


def _configure(handle: int, file: int, image: Path) -> bool:
    """False if somebody else took the device between the two calls."""
    information = struct.pack("QQQQQIIII64s64s32sQQ", 0, 0, 0, 0, 0, 0, 0, 0, LO_FLAGS_AUTOCLEAR,
                              os.fsencode(image.name)[:63], b"", b"", 0, 0)
    try:
        fcntl.ioctl(handle, LOOP_CONFIGURE, struct.pack("II", file, 0) + information + bytes(64))
    except OSError as error:
        if error.errno == errno.EBUSY:
            return False
        raise
    return True
