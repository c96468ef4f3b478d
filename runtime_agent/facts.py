"""What the facts about a machine are: every path, its type and its meaning. Beside protocol the one module both sides import.

Stdlib only and without input or output: the collector (runtime_agent.xray) fills this vocabulary, checks and live
figures ask in it, the linter (labs.course) refuses what is not in it, and docs/facts.md is this table (a test compares
them). ``VERSION`` grows when a path goes away or changes its meaning; new paths come without a new version.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

VERSION = 1
NAMESPACE_TYPES = ("pid", "mnt", "net", "uts", "ipc", "user", "cgroup", "time")

TABLE = """
machine | text | the machine's name in lab.yaml
cgroup_version | number | 1 or 2; the words below are the same for both
init | processes[] | the sandbox's own first process, in `$init` the whole of it
truncated[] | text | the lists that were cut because they grew too long
processes[] | object | every process of the machine, the oldest first
processes[].pid | number | its number outside, on the host
processes[].pids[] | number | its number at each level of pid namespaces: the host's first, its own last
processes[].pid_sandbox | number | its number in the sandbox's pid namespace, as `ps` in the terminal shows it
processes[].pid_inside | number | its number in its own pid namespace
processes[].ppid | number | its parent's number outside; 0 if the parent is not of the sandbox
processes[].ppid_sandbox | number | its parent's number in the sandbox's pid namespace; 0 likewise
processes[].depth | number | levels of pid namespaces below the sandbox's own: 0 for none
processes[].comm | text | its name, which it may choose itself
processes[].program | text | the name of the file that it executes, which it can't choose
processes[].command | text | its command line, cut after 200 characters
processes[].uid | number | its effective user outside, on the host
processes[].uid_sandbox | number | its user in the sandbox's user namespace
processes[].uid_inside | number | its user in its own user namespace; -1 if it has none there
processes[].state | text | running, sleeping, waiting (for a device), stopped, traced, zombie or idle
processes[].started_seconds | number | when it started, counted from the sandbox's first process
processes[].threads | number | how many threads it has
processes[].memory_bytes | number | memory in use (resident)
processes[].anonymous_bytes | number | of that, what no file backs
processes[].cpu_seconds | number | CPU time used so far
processes[].ns | object | the namespaces it lives in, by type; 0 for a zombie
processes[].ns.pid | number | id of its pid namespace
processes[].ns.mnt | number | id of its mount namespace
processes[].ns.net | number | id of its network namespace
processes[].ns.uts | number | id of its UTS namespace
processes[].ns.ipc | number | id of its IPC namespace
processes[].ns.user | number | id of its user namespace
processes[].ns.cgroup | number | id of its cgroup namespace
processes[].ns.time | number | id of its time namespace
processes[].ns.pid_for_children | number | the pid namespace of its next child; 0 while that has no first process yet
processes[].ns.time_for_children | number | the time namespace of its next child
processes[].apart[] | text | the types of namespaces that are not the sandbox's own
processes[].entered[] | text | the types of namespaces that are not its parent's: made or joined by itself
processes[].hostname | text | the host name it sees
processes[].proc_ns | number | the pid namespace that its /proc shows; 0 if /proc is something else
processes[].rootfs | text | its root directory, as a path in the sandbox's file system; "" if it is elsewhere
processes[].is_chrooted | bool | its root is not the root of its mount namespace
processes[].cgroup | object | its control group by controller
processes[].cgroup.memory | text | path of the group that counts its memory
processes[].cgroup.cpu | text | path of the group that counts its CPU time
processes[].cgroup.pids | text | path of the group that counts processes
processes[].cgroup.io | text | path of the group that counts its input and output
processes[].capabilities[] | text | effective capabilities, without the CAP_ and in small letters
processes[].seccomp | text | none, strict or filter
processes[].no_new_privs | bool | set-user-id programs give it nothing
processes[].engine | text | the container or machine it belongs to, as `kind:name`; "" for none
namespaces[] | object | every namespace of a member, of its parents, and those kept by a mount
namespaces[].type | text | pid, mnt, net, uts, ipc, user, cgroup or time
namespaces[].id | number | its inode number, as `ls -l /proc/PID/ns` shows it
namespaces[].is_sandbox | bool | it is the sandbox's own
namespaces[].is_host | bool | it is the host's: the sandbox has none of its own of this type
namespaces[].parent | number | id of the one around it (pid and user only); 0 for none or another type
namespaces[].owner | number | id of the user namespace whose root rules over it
namespaces[].members[] | number | pids, outside, of the processes that live in it
namespaces[].entered[] | number | those of them that made or joined it and were not born there
namespaces[].first | number | pid outside of its process 1 (pid only); 0 if that has ended
namespaces[].kept[] | text | paths where a mount keeps it alive
namespaces[].hostname | text | the host name in it (UTS only)
namespaces[].offset_seconds | object | how far its clocks are ahead of the host's (time only; else 0)
namespaces[].offset_seconds.monotonic | number | the clock that counts from no fixed point
namespaces[].offset_seconds.boottime | number | the clock that counts from the start of the system
namespaces[].uid_map[] | object | which users of the host are who inside (user only)
namespaces[].uid_map[].inside | number | first user inside
namespaces[].uid_map[].outside | number | first user on the host
namespaces[].uid_map[].count | number | how many
cgroups[] | object | the tree of control groups
cgroups[].path | text | as the sandbox sees it: `/` is its root; `/..` is the group around it, which only the host sees
cgroups[].role | text | limits for `/..`, root for `/`, else ""
cgroups[].controllers[] | text | where the group exists: memory, cpu, pids, io
cgroups[].members[] | number | pids, outside, of the processes in it
cgroups[].memory | object | memory
cgroups[].memory.usage_bytes | number | in use, with the groups below
cgroups[].memory.limit_bytes | number? | the limit; null for none
cgroups[].memory.peak_bytes | number? | the most that was in use
cgroups[].memory.at_limit | number | how often the limit was hit
cgroups[].memory.oom_kills | number | processes of this group that its memory limit, or one above, has killed
cgroups[].cpu | object | CPU time
cgroups[].cpu.usage_seconds | number | used so far
cgroups[].cpu.limit_cpus | number? | how many CPUs it may use; null for no limit
cgroups[].cpu.periods | number | periods in which it wanted to run
cgroups[].cpu.throttled_periods | number | of those, how many ended at the limit
cgroups[].cpu.throttled_seconds | number | how long it had to wait
cgroups[].pids | object | number of processes
cgroups[].pids.current | number | processes and threads now
cgroups[].pids.limit | number? | the limit; null for none
cgroups[].pids.refused | number | how often a fork was refused here
cgroups[].io | object | input and output of block devices
cgroups[].io.read_bytes | number | read so far
cgroups[].io.written_bytes | number | written so far
cgroups[].pressure | object? | share of the last 10 s in which somebody waited, in percent; null on version 1
cgroups[].pressure.memory | number | for memory
cgroups[].pressure.cpu | number | for a CPU
cgroups[].pressure.io | number | for input and output
mounts[] | object | the mount table of each mount namespace
mounts[].ns | number | id of the mount namespace
mounts[].target | text | where it is mounted
mounts[].type | text | the file system's type
mounts[].source | text | what was mounted, as far as it belongs to the sandbox
mounts[].root | text | which folder of that file system is shown; "" if it is the host's
mounts[].read_only | bool | nothing can be written through it
mounts[].propagation | text | private, shared or slave
mounts[].meaning | text | root, agent, storage, processes, kernel, groups, terminals, scratch, namespace, layers, bind or other
mounts[].lower[] | text | an overlay's lower layers, the topmost first
mounts[].upper | text | an overlay's upper layer
mounts[].work | text | an overlay's work folder
layers[] | object | the layers of the sandbox's own root, the topmost first
layers[].role | text | upper (this sandbox writes here) or lower (shared, read-only)
layers[].name | text | the image's name, or `this sandbox`
layers[].digest | text | the image's digest; "" for the upper layer
layers[].used_bytes | number? | what the upper layer takes on its disk
layers[].limit_bytes | number? | the size of that disk
changes[] | object | what the upper layer holds, by path
changes[].path | text | the path in the sandbox
changes[].kind | text | added, changed, deleted, or replaced (a folder that hides what was below)
changes[].type | text | file, folder, link or other
changes[].size_bytes | number | its size
networks[] | object | every network namespace
networks[].ns | number | its id
networks[].is_sandbox | bool | it is the sandbox's own
networks[].interfaces[] | object | its interfaces
networks[].interfaces[].name | text | the name
networks[].interfaces[].index | number | the number
networks[].interfaces[].kind | text | loopback, veth, bridge, ... as the kernel calls it
networks[].interfaces[].is_up | bool | it is set up
networks[].interfaces[].mac | text | its hardware address
networks[].interfaces[].mtu | number | the largest packet
networks[].interfaces[].addresses[] | text | with their prefix, for example 10.0.0.1/24
networks[].interfaces[].bridge | text | the bridge that it is plugged into; "" for none
networks[].interfaces[].peer_index | number | the other end of a veth pair; 0 for none
networks[].interfaces[].peer_ns | number | the network namespace of that end; 0 if it is not of the sandbox
networks[].routes[] | object | its routes
networks[].routes[].destination | text | `default` or a network
networks[].routes[].gateway | text | the next hop; "" if the network is on the interface
networks[].routes[].interface | text | out of which interface
networks[].listening[] | object | sockets that wait for others
networks[].listening[].protocol | text | tcp or udp
networks[].listening[].address | text | the address; 0.0.0.0 or :: for any
networks[].listening[].port | number | the port
engines[] | object | containers and machines inside, told apart by what the kernel shows of them
engines[].kind | text | docker, podman, kubernetes, containerd, lxc, nspawn, oci, container or vm
engines[].name | text | its name or the beginning of its id
engines[].pid | number | pid outside of its first process
engines[].members[] | number | pids outside of all its processes
engines[].level | number | containers around it: 0 for none
engines[].apart[] | text | the types of namespaces that are not the sandbox's own
engines[].rootfs | text | its root directory, as a path in the sandbox's file system
"""


@dataclass(frozen=True)
class Field:
    """One path. ``kind`` is object, number, text, bool or list; ``fields`` of an object, ``item`` of a list."""

    path: str
    kind: str
    meaning: str = ""
    is_optional: bool = False
    fields: dict[str, Field] = field(default_factory=dict)
    item: Field | None = None


def rows() -> list[tuple[str, str, str]]:
    """(path, type, meaning) of every line of the table."""
    return [tuple(part.strip() for part in line.split("|", 2)) for line in TABLE.strip().splitlines()]  # type: ignore[misc]


def schema() -> Field:
    """The table as a tree: the object that an expression is asked of."""
    root = Field("", "object")
    aliases = []
    for path, kind, meaning in rows():
        if kind.endswith("[]"):
            aliases.append((path, kind))
            continue
        parent, name = _parent_of(root, path)
        found = Field(path, kind.removesuffix("?"), meaning, kind.endswith("?"))
        parent.fields[name.removesuffix("[]")] = Field(path, "list", meaning, item=found) if name.endswith("[]") else found
    for path, target in aliases:
        item = root.fields[target.removesuffix("[]")].item
        root.fields[path] = Field(path, "object", fields=item.fields if item else {})
    return root


def _parent_of(root: Field, path: str) -> tuple[Field, str]:
    *parents, name = path.split(".")
    for part in parents:
        root = root.fields[part.removesuffix("[]")]
        root = root.item or root
    return root, name


# --- expressions ------------------------------------------------------------------------------------------

MAX_EXPRESSION_CHARS = 1000
MAX_HINTS = 16
FUNCTIONS = frozenset({"abs", "contains", "ends_with", "join", "keys", "length", "map", "max", "max_by", "min", "min_by",
                       "not_null", "reverse", "sort", "sort_by", "starts_with", "sum", "to_number", "type", "values"})
"""Of JMESPath's; the others can make a text out of everything, and a text can grow with every use."""
UNITS = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
PLACEHOLDER = re.compile(r"\{([^{}]+?)(?::(KiB|MiB|GiB))?\}")
"""In a text: ``{expression}`` of what was found, ``{expression:MiB}`` for a size."""
_QUOTED_OR_VARIABLE = re.compile(r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|`(?:\\.|[^`\\])*`|\$([a-z_]+(?:\.[a-z_]+)*)""")


def with_variables(expression: str, literal_of: Callable[[str], str]) -> str:
    """The expression with every ``$path`` outside quotes replaced by a JMESPath literal.

    Inside a filter JMESPath sees the current element only; ``$init.ns.pid`` reaches the document from there. It is
    not JMESPath and never gets to its parser: ``literal_of("init.ns.pid")`` gives the value as JSON.
    """
    def give(match: re.Match[str]) -> str:
        return "`" + literal_of(match[1]).replace("`", "\\`") + "`" if match[1] else match[0]
    return _QUOTED_OR_VARIABLE.sub(give, expression)


def in_unit(value: object, unit: str) -> float | None:
    """A number of the facts (bytes, seconds) in the unit that a lesson asks for; None for no number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return round(value * 1000 if unit == "ms" else value / UNITS.get(unit, 1), 2)
