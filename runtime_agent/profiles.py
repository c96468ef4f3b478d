"""The two kinds of sandbox, as plain facts: what root inside may do, what it sees masked, what it may use up.

``standard`` is for everyday labs; ``nested`` is for labs that make namespaces, mounts or whole container engines.
Both own nothing on the host. The reasons for each line are in docs/sandbox.md.
"""

from __future__ import annotations

from dataclasses import dataclass

from runtime_agent.errors import AgentError

STANDARD_CAPABILITIES = ("CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP NET_BIND_SERVICE "
                         "SYS_CHROOT SETFCAP").split()
NESTED_CAPABILITIES = [*STANDARD_CAPABILITIES, *"SYS_ADMIN NET_ADMIN NET_RAW AUDIT_WRITE MKNOD".split()]

MASKED = ["/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kallsyms", "/proc/kcore", "/proc/keys",
          "/proc/kmsg", "/proc/latency_stats", "/proc/sched_debug", "/proc/scsi", "/proc/slabinfo",
          "/proc/timer_list", "/proc/timer_stats", "/proc/vmallocinfo", "/proc/pagetypeinfo", "/sys/firmware",
          "/sys/fs/selinux", "/sys/dev/block", "/sys/devices/virtual/powercap", "/sys/kernel/security"]
READ_ONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sysrq-trigger"]
SYSCTL = "/proc/sys"
ENGINE_STORAGE = ("docker", "containers", "containerd", "lxc", "buildah")
"""Folders of /var/lib that engines put overlays in: they must not lie on an overlay themselves."""

PERMISSIONS = ("new-privileges", "packet-sockets", "trace")
"""What a lab may open besides in the nested profile (``allow`` in lab.yaml): programs that gain privileges when they are
started (newuidmap as a plain user), sockets that see whole frames (tcpdump, DHCP), tracing across user ids."""

RLIMITS = {"RLIMIT_NOFILE": (1024, 4096), "RLIMIT_CORE": (0, 0), "RLIMIT_MEMLOCK": (64 << 10, 64 << 10),
           "RLIMIT_MSGQUEUE": (819_200, 819_200), "RLIMIT_SIGPENDING": (1024, 1024)}
"""(soft, hard); none above what the agent itself has, for it lacks CAP_SYS_RESOURCE on some hosts."""

SYSCTLS = {"kernel.shmmax": str(64 << 20), "kernel.msgmnb": "65536", "fs.mqueue.queues_max": "16",
           "fs.mqueue.msg_max": "10", "fs.mqueue.msgsize_max": "8192",
           "net.ipv6.conf.all.disable_ipv6": "1", "net.ipv6.conf.default.disable_ipv6": "1"}


@dataclass(frozen=True)
class Profile:
    """What ``bundle`` needs to know of a profile."""

    name: str
    capabilities: tuple[str, ...]
    is_nested: bool

    @property
    def read_only(self) -> list[str]:
        return READ_ONLY if self.is_nested else [*READ_ONLY, SYSCTL]


PROFILES = {
    "standard": Profile("standard", tuple(f"CAP_{name}" for name in STANDARD_CAPABILITIES), is_nested=False),
    "nested": Profile("nested", tuple(f"CAP_{name}" for name in NESTED_CAPABILITIES), is_nested=True),
}


def find(name: str) -> Profile:
    """The profile of that name; AgentError("unknown-profile") if there is none."""
    if name not in PROFILES:
        raise AgentError("unknown-profile", repr(name))
    return PROFILES[name]
