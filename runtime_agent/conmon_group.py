"""The control group of every conmon, so that none counts against a student."""

from __future__ import annotations

from pathlib import Path

from runtime_agent.cgroup import ROOT, Group

WEIGHT = {"cpu.shares": 10_240, "cpu.weight": 1_000}
"""Ten times a sandbox's: whoever opens a terminal waits for no neighbour's endless loop."""


def make(top: str, root: Path = ROOT) -> None:
    """``<top>/conmon`` in every hierarchy. Repeats safely."""
    group = Group(f"{top}/conmon", root)
    for folder in group.folders():
        group.make_folder(folder)
    for file, weight in WEIGHT.items():
        if group.file("cpu", file).exists():
            group.write("cpu", file, weight)


def procs(top: str) -> list[Path]:
    """The files through which a process joins it, in every hierarchy that has it."""
    group = Path(top) / "conmon" / "cgroup.procs"
    return sorted(path for path in (ROOT / group, *ROOT.glob(f"*/{group}")) if path.exists())
