"""What a person would call news between two looks at a machine: for the time line.

Both looks are in the form of the wire (``patch``): lists as objects by key, null left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Document = dict[str, Any]
THROTTLED_SECONDS = 0.05
"""Every group with a limit is stopped for a moment now and then; that is no news."""
APPEARING = {"namespaces": "namespace", "processes": "process", "engines": "engine", "cgroups": "group"}
LIMITS = (("memory", "limit_bytes"), ("cpu", "limit_cpus"), ("pids", "limit"))


def between(before: Document, after: Document) -> Iterator[Document]:
    """{"kind", "what", "type"}, with "limit" for what a limit did in the group ``what``, "became" for a new program."""
    for part, word in APPEARING.items():
        old, new = before.get(part, {}), after.get(part, {})
        yield from (_naming(part, f"{word}-new", new[key]) for key in new if key not in old)
        yield from (_naming(part, f"{word}-gone", old[key]) for key in old if key not in new)
    old, new = before.get("processes", {}), after.get("processes", {})
    for key in new:
        if key in old and old[key]["comm"] != new[key]["comm"]:
            yield {**_naming("processes", "process-exec", old[key]), "became": new[key]["comm"]}
    around = after.get("cgroups", {}).get("/..", {})
    for path, group in after.get("cgroups", {}).items():
        if old := before.get("cgroups", {}).get(path):
            yield from _of_group(path, old, group, around)


def _of_group(path: str, old: Document, new: Document, around: Document) -> Iterator[Document]:
    def limit(controller: str, name: str) -> Any:
        """Its own, or that of the group around the sandbox."""
        own = new[controller].get(name)
        return own if own is not None else around.get(controller, {}).get(name)

    if new["memory"]["oom_kills"] > old["memory"]["oom_kills"]:
        yield {"kind": "oom", "what": path, "type": "cgroup", "limit": limit("memory", "limit_bytes")}
    if new["pids"]["refused"] > old["pids"]["refused"]:
        yield {"kind": "refused", "what": path, "type": "cgroup", "limit": limit("pids", "limit")}
    if new["cpu"]["throttled_seconds"] - old["cpu"]["throttled_seconds"] > THROTTLED_SECONDS:
        yield {"kind": "throttled", "what": path, "type": "cgroup", "limit": limit("cpu", "limit_cpus")}
    for controller, name in LIMITS:
        if new[controller].get(name) != old[controller].get(name):
            yield {"kind": f"limit-{controller}", "what": path, "type": "cgroup", "limit": new[controller].get(name)}


def _naming(part: str, kind: str, one: Document) -> Document:
    if part == "processes":
        return {"kind": kind, "what": f"{one['comm']} {one['pid']}", "type": "pid"}
    if part == "namespaces":
        return {"kind": kind, "what": f"{one['type']}:[{one['id']}]", "type": one["type"]}
    if part == "cgroups":
        return {"kind": kind, "what": one["path"], "type": "cgroup"}
    return {"kind": kind, "what": f"{one['kind']} {one['name']}", "type": "engine"}
