"""Published bundles for the agent's tests: a small valid lab, and a way to bend it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from runtime_agent.fleet import digest_of


def lab_document(**changes: Any) -> dict[str, Any]:
    """lab.json of two steps: ``first`` with tasks one and two (needs one), ``second`` with task three."""
    machine = {"image": "base", "profile": "standard", "user": "student", "hostname": "box",
               "memory_bytes": 128 << 20, "cpus": 0.5, "pids": 64, "disk_bytes": 64 << 20}
    document = {
        "format": 1, "course": "test", "lesson": "a-lab", "machines": {"box": machine}, "networks": [],
        "terminals": [{"title": "Terminal", "machine": "box"}], "previews": [],
        "limits": {"minutes": 10, "extend": 5, "idle": 5}, "setup": {}, "steps": ["first", "second"],
        "tasks": [task("one", "first"), task("two", "first", needs=["one"]), task("three", "second")],
        "solutions": [
            {"step": "first", "blocks": [{"machine": "box", "code": "touch /tmp/one\ntouch /tmp/two",
                                          "interrupt": False}]},
            {"step": "second", "blocks": [{"machine": "box", "code": "touch /tmp/three", "interrupt": False}]}],
    }
    return {**document, **changes}


def task(name: str, step: str, **changes: Any) -> dict[str, Any]:
    return {"id": name, "step": step, "title": name, "points": 1, "machine": "box", "fail": None, "hint": None,
            "check": {"run": f"checks/{name}.sh", "user": "root", "timeout": 5}, "needs": [], **changes}


def publish(content_dir: Path, document: dict[str, Any] | None = None,
            files: dict[str, str] | None = None) -> str:
    """Write a bundle and return its digest."""
    bodies = {"lab.json": json.dumps(document or lab_document(), sort_keys=True)}
    bodies |= {f"checks/{name}.sh": f"test -e /tmp/{name} && echo 'saw {name}' || {{ echo 'no {name}'; exit 1; }}\n"
               for name in ("one", "two", "three")}
    bodies |= files or {}
    encoded = {path: body.encode() for path, body in bodies.items()}
    digest = digest_of(encoded)
    for path, body in encoded.items():
        target = content_dir / digest / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(body)
    return digest
