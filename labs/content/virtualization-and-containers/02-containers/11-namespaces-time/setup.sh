# A script with two lines in the wrong order, for the student to put right: once, so that resuming keeps what they did.
[ ! -e /root/hour.py ] || exit 0
cat > /root/hour.py <<'SCRIPT'
"""Starts a program that is one hour ahead."""
import ctypes
import os

CLONE_NEWTIME = 0x80
libc = ctypes.CDLL(None)
libc.unshare(CLONE_NEWTIME)
child = os.fork() or os.execvp("sleep", ["sleep", "3000"])  # the child becomes sleep
open("/proc/self/timens_offsets", "w").write("monotonic 3600 0")
os.waitpid(child, 0)
SCRIPT
