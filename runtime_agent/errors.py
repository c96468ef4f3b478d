"""The one failure of the agent's machinery. What a student's program does is a result, never this."""

from __future__ import annotations

import subprocess

from runtime_agent.protocol.reasons import REASONS


class AgentError(Exception):
    """``reason`` is a key of protocol.reasons.REASONS (the student's sentence); ``detail`` is for the operator's log."""

    def __init__(self, reason: str, detail: str = ""):
        if reason not in REASONS:
            raise ValueError(f"unknown reason {reason!r}")
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason, self.detail = reason, detail


STUCK = (AgentError, OSError, subprocess.SubprocessError)
"""What making and removing sandboxes raise: a process that can't be killed, a runtime that hangs, a full disk."""
