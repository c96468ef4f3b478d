"""The whole way from a click to a prompt: a site, its worker and an agent of their own, and a browser's part in between."""

from __future__ import annotations

import asyncio
import random
import tempfile
from collections import Counter
from pathlib import Path

from tests.bench.podman_beside import Podman
from tests.bench.student import Student, sign_in
from tests.instance import Instance, running, wait_until

WARM_UP = 3


def clicks(rounds: int, podman: Podman | None) -> dict[str, list[float]]:
    """Milliseconds from a click to the prompt at the terminal's socket, from a spare, and podman's in between."""
    taken: dict[str, list[float]] = {}
    with (tempfile.TemporaryDirectory(prefix="bulkhead-bench-") as folder,
          running(Path(folder) / "site", BULKHEAD_WARM="1", BULKHEAD_CAPACITY="2", BULKHEAD_SLOT_BASE="28000") as site):
        _vendor, keys = sign_in(site, WARM_UP + rounds)
        kinds = {"whole way": lambda: asyncio.run(click(site, keys.pop()))}
        if podman:
            kinds["podman beside it"] = lambda: podman(1)[0]
        for number in range(-WARM_UP, rounds):
            for kind in random.sample(list(kinds), len(kinds)):
                ms = kinds[kind]()
                if number >= 0:
                    taken.setdefault(f"{kind} ms", []).append(ms)
    return taken


async def click(site: Instance, key: str) -> float:
    """The first sandbox of the student whose web session ``key`` is, from a spare to its end; how long its prompt took."""
    errors: Counter[str] = Counter()
    student = Student(site, key, errors)
    await student.fetch()  # whoever has a page open has a spare made
    await asyncio.to_thread(wait_until, lambda: is_at_rest(site), 60, "a spare, and no sandbox")
    await asyncio.sleep(0.35)
    await student.start()
    if errors:
        raise SystemExit(f"the click failed: {dict(errors)}")
    await student.leave()
    return student.prompt_seconds * 1000


def is_at_rest(site: Instance) -> bool:
    agent = site.state / "agent"
    return any((agent / "spares").glob("*/state.json")) and not any((agent / "sandboxes").glob("*/*/state.json"))
