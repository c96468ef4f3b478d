"""Final exams: what is drawn from a module's pool, who may begin when, and how an attempt is marked.

An attempt keeps its questions with the right answers in its row. Until it has been handed in, pages get them by
``shown`` only, which leaves out everything that tells a right answer; the ids of options tell nothing either.
"""

from __future__ import annotations

import random
import secrets
from collections import Counter
from collections.abc import Collection
from datetime import datetime, timedelta
from operator import itemgetter
from string import ascii_lowercase
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from labs import marking
from labs.event_payload import storable
from labs.models import ExamAttempt, Module

Question = dict[str, Any]
MAX_ANSWER_CHARS = 200


class NotYet(Exception):
    """The next attempt may begin at ``at``."""

    def __init__(self, at: datetime):
        super().__init__(str(at))
        self.at = at


# --- drawing ----------------------------------------------------------------------------------------------


def draw(pool: list[Question], count: int, seed: int, seen: Counter[str]) -> list[Question]:
    """``count`` questions: those asked least so far first, spread over the lessons; order and letters by ``seed``."""
    chance = random.Random(seed)  # noqa: S311 (fairness, not secrecy: the seed is never shown)
    left = sorted(pool, key=lambda question: question["id"])
    chance.shuffle(left)
    taken: Counter[str] = Counter()
    drawn: list[Question] = []
    while left and len(drawn) < count:
        best = min(left, key=lambda question: (seen[question["id"]], taken[question["lesson"]]))
        left.remove(best)
        taken[best["lesson"]] += 1
        drawn.append(best)
    chance.shuffle(drawn)
    return [_mixed(question, f"q{number}", chance) for number, question in enumerate(drawn, 1)]


def _mixed(question: Question, name: str, chance: random.Random) -> Question:
    """The question with its options in a new order under new letters; ``place`` is a line's right place."""
    options = [{"html": option["html"], "correct": option["correct"], "feedback_html": option["feedback_html"],
                "place": place} for place, option in enumerate(question["options"], 1)]
    chance.shuffle(options)
    if question["kind"] == "order":  # choices stay as they fall: one that is never first would be known by its place
        while len(options) > 1 and all(option["place"] == at for at, option in enumerate(options, 1)):
            chance.shuffle(options)
    options = [{"id": letter, **option} for letter, option in zip(ascii_lowercase, options, strict=False)]
    return {**question, "id": name, "source": question["id"], "options": options}


# --- an attempt's life ------------------------------------------------------------------------------------


def attempts_of(user: Any, module: Module) -> list[ExamAttempt]:
    """Newest first."""
    return list(ExamAttempt.objects.filter(user=user, module=module)) if user.is_authenticated else []


def next_at(module: Module, attempts: list[ExamAttempt]) -> datetime | None:
    """When another attempt may begin, if that is still to come."""
    last = next((attempt.handed_in_at for attempt in attempts if attempt.handed_in_at), None)
    at = last + timedelta(minutes=module.exam["wait_minutes"]) if last else None
    return at if at and at > timezone.now() else None


def begin(user: Any, module: Module) -> ExamAttempt:
    """The open attempt, or a new one; NotYet if it is too early. May be asked twice at once."""
    attempts = attempts_of(user, module)
    if attempts and attempts[0].handed_in_at is None:
        return attempts[0]
    if at := next_at(module, attempts):
        raise NotYet(at)
    seed = secrets.randbits(62)
    seen = Counter(question["source"] for attempt in attempts for question in attempt.questions)
    try:
        with transaction.atomic():
            return ExamAttempt.objects.create(
                user=user, module=module, seed=seed, pass_percent=module.exam["pass_percent"], begun_at=timezone.now(),
                questions=draw(module.exam["pool"], module.exam["questions"], seed, seen))
    except IntegrityError:  # the other click was faster
        return ExamAttempt.objects.get(user=user, module=module, handed_in_at=None)


@transaction.atomic
def save(attempt: ExamAttempt, answers: dict[str, Any], changed: Collection[str] | None = None) -> bool:
    """Keep the answers as they stand now, or of these questions only; False if it has been handed in."""
    row = ExamAttempt.objects.select_for_update().get(pk=attempt.pk)
    if row.handed_in_at:
        return False
    if changed is not None:
        others = {name: answer for name, answer in row.answers.items() if name not in changed}
        answers = {**others, **{name: answer for name, answer in answers.items() if name in changed}}
    row.answers = answers
    row.save(update_fields=["answers"])
    return True


@transaction.atomic
def hand_in(attempt: ExamAttempt) -> ExamAttempt:
    """Mark it, once; a second time changes nothing."""
    row = ExamAttempt.objects.select_for_update().get(pk=attempt.pk)
    if row.handed_in_at is None:
        row.right = sum(is_right(question, row.answers.get(question["id"])) for question in row.questions)
        row.is_passed = row.right * 100 >= row.pass_percent * len(row.questions)
        row.handed_in_at = timezone.now()
        row.save()
    return row


# --- answers ----------------------------------------------------------------------------------------------


def given(post: Any, questions: list[Question]) -> dict[str, Any]:
    """The answers in a form (a QueryDict), of which nothing but the attempt's own questions and options counts."""
    return {question["id"]: storable(answer) for question in questions if (answer := _given(post, question))}


def _given(post: Any, question: Question) -> Any:
    name, letters = question["id"], [option["id"] for option in question["options"]]
    if question["kind"] == "multiple":
        return [letter for letter in post.getlist(name) if letter in letters]
    if question["kind"] == "order":
        places = {letter: post.get(f"{name}.{letter}", "").strip()[:4] for letter in letters}
        return {letter: place for letter, place in places.items() if place}
    answer = post.get(name, "").strip()[:MAX_ANSWER_CHARS]
    return answer if question["kind"] != "single" or answer in letters else ""


def is_right(question: Question, answer: Any) -> bool:
    return marking.is_right({**question, "options": sorted(question["options"], key=itemgetter("place"))}, answer)


def is_answered(question: Question, answer: Any) -> bool:
    return len(answer or ()) == len(question["options"]) if question["kind"] == "order" else bool(answer)


# --- what pages get ---------------------------------------------------------------------------------------


def shown(attempt: ExamAttempt) -> list[Question]:
    """The questions of an open attempt with the reader's answers: nothing in them tells the right ones."""
    return [{"id": question["id"], "kind": question["kind"], "prompt_html": question["prompt_html"],
             "options": [{"id": option["id"], "html": option["html"], **_chosen(option, attempt.answers.get(question["id"]))}
                         for option in question["options"]],
             "given": answer if isinstance(answer := attempt.answers.get(question["id"]), str) else None,
             "is_answered": is_answered(question, answer)} for question in attempt.questions]


def _chosen(option: dict[str, Any], answer: Any) -> dict[str, Any]:
    return {"chosen": option["id"] in answer if isinstance(answer, list) else option["id"] == answer,
            "place": answer.get(option["id"]) if isinstance(answer, dict) else None}


def reviewed(attempt: ExamAttempt) -> list[Question]:
    """The questions of an attempt that has been handed in, with everything there is to learn from them."""
    found = []
    for question in attempt.questions:
        answer = attempt.answers.get(question["id"])
        options = [{**option, "right_place": option["place"], **_chosen(option, answer)} for option in question["options"]]
        if question["kind"] == "order":
            options.sort(key=lambda option: option["right_place"])
        found.append({**question, "options": options, "given": answer if isinstance(answer, str) else None,
                      "is_answered": is_answered(question, answer), "is_right": is_right(question, answer)})
    return found


def states(user: Any, modules: list[Module]) -> dict[int, dict[str, Any]]:
    """How each module's exam stands for this reader, by the module's id: {"state", "attempt", "again_at"}."""
    attempts: dict[int, list[ExamAttempt]] = {}
    if user.is_authenticated:
        for row in ExamAttempt.objects.filter(user=user, module__in=modules):
            attempts.setdefault(row.module_id, []).append(row)
    return {module.pk: state_of(module, attempts.get(module.pk, [])) for module in modules if module.exam}


def state_of(module: Module, attempts: list[ExamAttempt]) -> dict[str, Any]:
    best = max((attempt for attempt in attempts if attempt.handed_in_at), key=lambda each: each.right / len(each.questions),
               default=None)
    passed = next((attempt for attempt in attempts if attempt.is_passed), None)
    is_open = bool(attempts) and attempts[0].handed_in_at is None
    return {"state": "open" if is_open else "passed" if passed else "failed" if best else "none",
            "is_passed": bool(passed), "best": best, "open": attempts[0] if is_open else None,
            "again_at": next_at(module, attempts)}
