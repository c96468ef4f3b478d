"""What every bench prints and writes: rows of a metric, ours beside a peer's, against a target."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """``target`` bounds the ratio ours/peer: "<= 1.5", ">= 3", or "" where nothing is asked."""

    metric: str
    unit: str
    ours: float
    peer: float
    peer_name: str
    target: str = ""

    @property
    def ratio(self) -> float:
        return self.ours / self.peer if self.peer else float("inf")

    @property
    def holds(self) -> bool:
        word, _, bound = self.target.partition(" ")
        return not word or (self.ratio <= float(bound) if word == "<=" else self.ratio >= float(bound))


def report(rows: Sequence[Row], json_file: Path | None = None) -> int:
    """Print the table, write the JSON; 1 if a target is missed."""
    print(f"{'metric':34} {'ours':>12} {'peer':>12} {'ratio':>8}  target")
    for row in rows:
        print(f"{row.metric + ' (' + row.unit + ')':34} {row.ours:12.2f} {row.peer:12.2f} {row.ratio:8.2f}  "
              f"{row.target:8} {'' if row.holds else 'MISSED'}  {row.peer_name}")
    if json_file:
        json_file.write_text(json.dumps([{**asdict(row), "ratio": row.ratio, "holds": row.holds} for row in rows], indent=1))
    sys.stdout.flush()
    return 0 if all(row.holds for row in rows) else 1


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))]
