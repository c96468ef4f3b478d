"""What every bench prints and writes: rows of a metric, ours beside a peer's, against a target."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """``target`` bounds the ratio ours/peer: "<= 1.5", ">= 3", or "" where nothing is asked; ``bound`` bounds ours alone.

    A metric without a peer has ``peer`` None. ``spread`` is what the rounds' ratios lay between.
    """

    metric: str
    unit: str
    ours: float
    peer: float | None = None
    peer_name: str = ""
    target: str = ""
    bound: str = ""
    spread: tuple[float, float] | None = None

    @property
    def ratio(self) -> float | None:
        if self.peer is None:
            return None
        return self.ours / self.peer if self.peer else float("inf")

    @property
    def holds(self) -> bool:
        return keeps(self.ours, self.bound) and (self.ratio is None or keeps(self.ratio, self.target))


def keeps(value: float, rule: str) -> bool:
    """Does ``value`` keep a rule such as "<= 1.5"? The empty rule asks nothing."""
    word, _, bound = rule.partition(" ")
    return not word or (value <= float(bound) if word == "<=" else value >= float(bound))


def report(rows: Sequence[Row], json_file: Path | None = None) -> int:
    """Print the table, write the JSON; 1 if a target is missed, or nothing was measured."""
    print(f"{'metric':42} {'ours':>10} {'peer':>10} {'ratio':>8} {'spread':>15}  target")
    for row in rows:
        peer = "" if row.peer is None else f"{row.peer:.2f}"
        ratio = "" if row.ratio is None else f"{row.ratio:.3f}"
        spread = "" if row.spread is None else f"{row.spread[0]:.3f}..{row.spread[1]:.3f}"
        asked = ", ".join(filter(None, [row.target and f"ratio {row.target}", row.bound and f"{row.bound} {row.unit}"]))
        verdict = ("holds" if row.holds else "MISSED") if asked else ""
        print(f"{row.metric + ' (' + row.unit + ')':42} {row.ours:10.2f} {peer:>10} {ratio:>8} {spread:>15}  "
              f"{asked} {verdict} {row.peer_name}".rstrip())
    if json_file:
        json_file.write_text(json.dumps([{**asdict(row), "ratio": row.ratio, "holds": row.holds} for row in rows], indent=1))
    sys.stdout.flush()
    return 0 if rows and all(row.holds for row in rows) else 1


def spread(ours: Sequence[float], peer: Sequence[float]) -> tuple[float, float]:
    """The smallest and the largest ratio of rounds that were measured side by side."""
    ratios = [own / theirs for own, theirs in zip(ours, peer, strict=True)]
    return min(ratios), max(ratios)


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))]
