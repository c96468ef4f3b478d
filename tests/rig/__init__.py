"""A throw-away virtual machine with cgroup version 2 only, and our sandbox tests inside it.

    system.py   the machine's disk, kernel and first file system, made once from the host's own Debian sources
    machine.py  QEMU, and the project's copy that it gets on a second disk
    guest.sh    the machine's PID 1: mounts, modules, the tests
    chosen.py   which tests run in it, and why the others can't
"""
