"""What can go wrong with a session, in words that both sides know: a closed set, and what each means to a page."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Reason:
    """One way a session can fail: HTTP status, WebSocket close code, and the student's sentence."""

    status: int
    close_code: int
    sentence: str


REASONS: dict[str, Reason] = {
    "no-worker": Reason(503, 4503, "No worker host is running, so no sandbox can start. "
                                   "Tell whoever runs this site; the lesson stays readable."),
    "no-fitting-worker": Reason(503, 4503, "No worker host takes this kind of lab at the moment. "
                                           "Tell whoever runs this site; the lesson stays readable."),
    "unreachable": Reason(503, 4503, "The machine your sandbox runs on does not answer. Most likely only the line to it is "
                                     "cut: your sandbox goes on and comes back here by itself. Starting over gives you a "
                                     "fresh one on another machine; passed tasks stay passed."),
    "host-removed": Reason(410, 4410, "The machine that had the files of this sandbox was taken out of service. Start again; "
                                      "your passed tasks are kept."),
    "host-full": Reason(503, 4503, "Every worker host is full. You are in the queue; "
                                   "your sandbox starts by itself when a place is free."),
    "unknown-image": Reason(422, 4422, "This lab asks for an image that the worker does not have. "
                                       "Tell your instructor; trying again will not help."),
    "unknown-profile": Reason(422, 4422, "This lab asks for a profile that does not exist. Tell your instructor."),
    "unknown-lab": Reason(422, 4422, "The worker does not have this version of the lab. Try again in a minute."),
    "bad-limit": Reason(422, 4422, "This lab asks for more than the worker may give. Tell your instructor."),
    "bad-message": Reason(400, 4400, "The worker did not understand the request. Reload the page and try again."),
    "setup-failed": Reason(500, 4500, "The lab's set-up script failed. Try again; if it fails again, "
                                      "tell your instructor."),
    "start-failed": Reason(500, 4500, "The sandbox did not start. Try again."),
    "disk-full": Reason(507, 4507, "The worker has no disk space left for new sandboxes. "
                                   "Tell whoever runs this site."),
    "overdue": Reason(504, 4504, "The sandbox took too long to start. Try again."),
    "expired": Reason(410, 4410, "The files of this sandbox are not kept any more. Start again; "
                                 "your passed tasks are kept."),
    "made-room": Reason(410, 4410, "The files of this sandbox were deleted to make room for newer ones. Start again; "
                                   "your passed tasks are kept."),
    "no-point": Reason(410, 4410, "The worker has no copy of your files from the beginning of that step. "
                                  "Resume to go on with them as they are."),
    "lost": Reason(410, 4410, "The sandbox is gone: its worker lost it. Start again; your passed tasks are kept."),
    "stopped": Reason(410, 4410, "The sandbox's first process ended, or its machine lost power. Resume if its files "
                                "are kept, else start again; your passed tasks are kept."),
}

CLOSE_BAD_FRAME = 4400
CLOSE_SIGNED_OUT = 4401
CLOSE_NOT_FOUND = 4404
CLOSE_ENDED = 4410
CLOSE_FRAME_TOO_LARGE = 4413
CLOSE_BUSY = 4503
