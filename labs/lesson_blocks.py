"""How the blocks of a lesson look to one reader.

A block that has nothing of a reader's own in it is the same for everybody in the same state, and is rendered once for each
state. There its template sees the block, the state, where the lesson is and whether somebody is signed in, and nothing
else. Two things differ all the same and are put in for each reader: the CSRF token, and the options of a question, which
have an order and names of their own for everybody. What somebody wrote is not remembered; what a check said of a sandbox is
part of a task's state.
"""

from __future__ import annotations

import functools
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.template.loader import render_to_string

from labs import marking, numbers, options, rewinding, widgets
from labs.lesson_text import Block

MOST_SHOWN = 4096
"""Of 1 to 4 KB; a course has some 500 such blocks, most of them with two to four states."""
TOKEN, NAME, CUT = (secrets.token_hex(16) for _ in range(3))
"""Stand for the CSRF token and an option's name, and before and behind each option. They are this process's own and no
page shows them, so nobody can write one."""
State = dict[str, Any]
Frozen = tuple[tuple[str, Any], ...]
UNANSWERED = {"given": None, "correct": False}


@dataclass(frozen=True)
class Known:
    """What the blocks of a page are shown with. ``wrong`` is what was just sent in vain, by block: {"error", "typed"}."""

    reader: Any
    tasks: dict[str, State]
    facts: dict[str, str]
    wrong: dict[str, dict[str, str]]
    token: object

    def key_of(self, block: Block, question: str = "") -> bytes:
        return options.key_of(self.reader.user, self.reader.lesson, block["id"], question)


def html(step: dict[str, Any], known: Known) -> str:
    """A step's blocks, one after the other."""
    offers = _offers([block for block in step["blocks"] if block["kind"] == "hint"], known.reader.marks.hints)
    shown = "".join(_shown(block, step, known, offers) for block in step["blocks"])
    return shown.replace(TOKEN, str(known.token)) if TOKEN in shown else shown


def _offers(hints: list[Block], taken: set[str]) -> dict[str, State]:
    """One after the other: a hint is offered once the one before it has been taken."""
    before, found = True, {}
    for hint, following in zip(hints, [*hints[1:], None], strict=False):
        found[hint["id"]] = {"taken": hint["id"] in taken, "is_offered": before, "following": following and following["id"]}
        before = hint["id"] in taken
    return found


def _shown(block: Block, step: dict[str, Any], known: Known, offers: dict[str, State]) -> str:
    match block["kind"]:
        case "html":
            return block["html"]
        case "task":
            task = known.tasks.get(block["task"], {})
            return _of_session(block, task, step, known) if task.get("state") == "broken" else _alike(block, task, known)
        case "hint":
            return _alike(block, offers.get(block["id"], {"taken": block["id"] in known.reader.marks.hints}), known)
        case "predict":
            return _predict(block, known)
        case "measure":
            return _measure(block, known)
        case "widget":
            return _own(block, widgets.shown(block["name"], known.reader.marks.measured.get(block["source"])), known)
        case "quiz":
            return _quiz(block, known)
        case "when":
            holds = not known.facts or all(known.facts.get(name, value) == value for name, value in block["condition"].items())
            return "".join(_shown(inner, step, known, offers) for inner in block["blocks"]) if holds else ""
    raise ValueError(f"no page shows a block {block['kind']}")


# --- the same for everybody ---------------------------------------------------------------------------------


def _alike(block: Block, state: State, known: Known) -> str:
    return "".join(_pieces(block, tuple(state.items()), known.reader.lesson.address, known.reader.is_known))


def _asked(block: Block, answer: State, asked: list[tuple[dict[str, Any], bytes]], known: Known) -> str:
    """Questions that the reader has not answered, or answered by choosing, each with the key of its options."""
    pieces = list(_pieces(block, tuple(answer.items()), known.reader.lesson.address, known.reader.is_known))
    written = iter(pieces[1::2])
    pieces[1::2] = [line for question, key in asked for line in _mixed(question, key, written)]
    return "".join(pieces)


def _mixed(question: dict[str, Any], key: bytes, written: Iterator[str]) -> list[str]:
    names = options.names(question["options"], key)
    lines = [{"id": option["id"], "html": next(written)} for option in question["options"]]
    return [line["html"].replace(NAME, names[line["id"]])
            for line in options.mixed(lines, key, question["kind"] == "order")]


@functools.lru_cache(MOST_SHOWN)
def _pieces(block: Block, state: Frozen, address: tuple[str, str, str], is_known: bool) -> tuple[str, ...]:
    """The block, cut before and behind each option: every second piece is one."""
    found, asked = dict(state), {}
    if block["kind"] == "predict":
        asked = {"options": _nameless(block, found["given"])}
    elif block["kind"] == "quiz":
        asked = {"questions": [{**question, "options": _nameless(question, None)} for question in block["questions"]]}
    shown = _render({**block, **asked, "state": found}, address, is_known, csrf_token=TOKEN, cut=CUT)
    return tuple(shown.split(CUT))


def _nameless(asked: dict[str, Any], chosen: str | None) -> list[dict[str, Any]]:
    return [_option(option, NAME, chosen, asked) for option in asked["options"]]


def _render(block: Block, address: tuple[str, str, str], is_known: bool, **more: Any) -> str:
    course, module, lesson = ({"slug": slug} for slug in address)
    return render_to_string(block["template"], {
        "block": block, "course": course, "module": module, "lesson": lesson, "user": {"is_authenticated": is_known}, **more})


# --- with something of the reader's own -----------------------------------------------------------------------


def _own(block: Block, state: State, known: Known, **more: Any) -> str:
    reader = known.reader
    return _render({**block, "state": state}, reader.lesson.address, reader.is_known, csrf_token=known.token, **more)


def _of_session(block: Block, state: State, step: dict[str, Any], known: Known) -> str:
    session = known.reader.session
    able = {**step, "can_start_over": rewinding.can_start_over(session, step["id"])}
    return _own(block, state, known, session=session, step=able)


def _predict(block: Block, known: Known) -> str:
    answer = known.reader.marks.answers.get(block["id"], UNANSWERED)
    if block["options"] or answer is UNANSWERED:
        return _asked(block, answer, [(block, known.key_of(block))], known)
    return _own({**block, "answer_text": block["answer"]}, answer, known)


def _measure(block: Block, known: Known) -> str:
    value = known.reader.marks.measured.get(block["id"])
    if value is None and block["id"] not in known.wrong:
        return _alike(block, {"value": None}, known)
    beside = None if value is None else numbers.beside(value, known.reader.class_values(block["id"]))
    return _own(block, {"value": value, "class": beside, **known.wrong.get(block["id"], {})}, known)


def _quiz(block: Block, known: Known) -> str:
    answer = known.reader.marks.answers.get(block["id"])
    asked = [(question, known.key_of(block, question["id"])) for question in block["questions"]]
    if answer is None:
        return _asked(block, UNANSWERED, asked, known)
    questions = [_question(question, answer["given"].get(question["id"]), key) for question, key in asked]
    return _own({**block, "questions": questions}, {"answered": True}, known)


def _question(question: dict[str, Any], answer: Any, key: bytes) -> dict[str, Any]:
    return {**question, "given": answer if isinstance(answer, str) else None,
            "correct": marking.is_right(question, answer), "options": _veiled(question, answer, key)}


def _veiled(asked: dict[str, Any], answer: Any, key: bytes) -> list[dict[str, Any]]:
    """The options with the answer in them, in the order and under the names that the page carries; the right one of a
    prediction is known only to who has made theirs."""
    names = options.names(asked["options"], key)
    return [_option(option, names[option["id"]], answer, asked)
            for option in options.mixed(asked["options"], key, asked["kind"] == "order")]


def _option(option: dict[str, Any], name: str, answer: Any, asked: dict[str, Any]) -> dict[str, Any]:
    return {**option, "id": name, "chosen": option["id"] in answer if isinstance(answer, list) else option["id"] == answer,
            "is_right": answer is not None and option["id"] == asked.get("answer"),
            "place": answer.get(option["id"]) if isinstance(answer, dict) else None}
