"""The numbers of the two things to play with in lessons, as they stand before anybody has played: without scripts
these are shown.

``static/src/js/widgets`` computes the same in the browser; ``tests/golden/widgets.json`` holds both to the same answers.
"""

from __future__ import annotations

import math
from typing import Any

NAMES = ("calculator", "scheduler")
SERVERS, BUSY_PERCENT, TARGET_PERCENT, COST = 40, 12.0, 60.0, 3000.0
EXAMPLES_PERCENT = (5.0, 10.0, 20.0, 30.0, 50.0)
HOST_GIB, HOSTS = 16.0, 4
MACHINES = (("web-1", 4.0, 1.5), ("web-2", 4.0, 1.5), ("mail", 6.0, 2.0), ("database", 8.0, 6.0), ("files", 4.0, 1.0),
            ("search", 6.0, 3.5), ("build", 8.0, 2.0), ("old-shop", 4.0, 0.5))
"""(name, memory promised, memory used), in GiB."""


def plan(servers: int, busy_percent: float, target_percent: float, cost: float) -> dict[str, Any]:
    """How many servers carry the work of ``servers`` that are busy so much, none above the target; at least two."""
    needed = max(2, math.ceil(servers * busy_percent / target_percent - 1e-9))
    return {"busy": busy_percent, "needed": needed, "fewer": servers - needed, "before": servers * cost,
            "after": needed * cost, "saved": (servers - needed) * cost, "new_busy": servers * busy_percent / needed}


def first_fit(sizes: list[float], room: float, hosts: int) -> list[int | None]:
    """The host of each size, from 0: the largest first, each on the first host with room; None where nothing fits."""
    free, found = [room] * hosts, [None] * len(sizes)
    for index in sorted(range(len(sizes)), key=lambda at: (-sizes[at], at)):
        host = next((number for number in range(hosts) if free[number] >= sizes[index]), None)
        if host is not None:
            free[host] -= sizes[index]
            found[index] = host
    return found


def shown(name: str, measured: float | None) -> dict[str, Any]:
    """What the template of widget ``name`` needs; ``measured`` is the student's own number, if there is one."""
    if name == "calculator":
        busy = BUSY_PERCENT if measured is None else min(100.0, max(0.0, float(measured)))
        shares = sorted({*EXAMPLES_PERCENT, *([] if measured is None else [busy])})
        return {"servers": SERVERS, "busy": busy, "target": TARGET_PERCENT, "cost": COST, "is_own": measured is not None,
                "rows": [plan(SERVERS, share, TARGET_PERCENT, COST) for share in shares]}
    promised = first_fit([machine[1] for machine in MACHINES], HOST_GIB, HOSTS)
    used = first_fit([machine[2] for machine in MACHINES], HOST_GIB, HOSTS)
    return {"host_gib": HOST_GIB, "hosts": range(1, HOSTS + 1),
            "machines": [{"name": machine[0], "promised": machine[1], "used": machine[2], "by_promise": by_promise + 1,
                          "by_use": by_use + 1}
                         for machine, by_promise, by_use in zip(MACHINES, promised, used, strict=True)],
            "hosts_by_promise": len(set(promised)), "hosts_by_use": len(set(used))}
