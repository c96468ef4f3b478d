"""Starting one step of a lab over: the files go back to how they were when it began, programs end.

Tasks of earlier steps stay passed, those of this and later steps open again; points once earned stay. The worker keeps
the copies and says which there are (event ``points``); the step a lab begins with needs none.
"""

from __future__ import annotations

from typing import Any

from labs import agent_client, sessions
from labs.models import LabSession, TaskResult
from runtime_agent import protocol

State = LabSession.State


def steps_of(session: LabSession) -> list[str]:
    """The steps that have tasks, in their order."""
    return list(dict.fromkeys(task["step"] for task in session.lab["tasks"]))


def can_start_over(session: LabSession | None, step: str) -> bool:
    if session is None or session.state != State.READY or step not in steps_of(session):
        return False
    return step == steps_of(session)[0] or "bytes" in session.points.get(step, {})


def why_not(session: LabSession | None, step: str) -> str:
    """Why a step that has begun can't be started over, as the end of a sentence; empty if nothing is wrong."""
    skipped = session.points.get(step, {}).get("skipped") if session and session.state == State.READY else None
    return protocol.POINT_SKIPPED.get(skipped, "")


def rewind(session_id: Any, step: str) -> LabSession:
    """Raises Refused "wrong-state", "no-point" or "no-worker"."""
    hosts = agent_client.expected_hosts()

    def change(session: LabSession) -> None:
        if not can_start_over(session, step):
            raise sessions.Refused("no-point")
        if session.host not in hosts:
            raise sessions.Refused("no-worker")
        steps = steps_of(session)
        later = set(steps[steps.index(step):])
        _open_again(session, later)
        session.points = {name: point for name, point in session.points.items() if name == step or name not in later}
        sessions.queue_again(session, is_resume=True, rewind_to=step)
    return sessions.change_locked(session_id, (State.READY,), change)


def _open_again(session: LabSession, steps: set[str]) -> None:
    tasks = [task["id"] for task in session.lab["tasks"] if task["step"] in steps]
    TaskResult.objects.filter(user=session.user, lesson=session.lesson, task__in=tasks).update(
        state="open", why="", saw="", session=session)


def note_points(session: LabSession, told: list[dict[str, Any]], skipped: dict[str, str] | None) -> None:
    """What the worker says it has is what there is; why a step has none is remembered. Called on a locked row."""
    without = {step: point for step, point in session.points.items() if "skipped" in point}
    if skipped:
        without[skipped["step"]] = {"skipped": skipped["reason"]}
    session.points = {**without, **{point["step"]: {"bytes": point["bytes"]} for point in told}}
