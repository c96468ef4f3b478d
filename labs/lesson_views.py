"""The lesson's page and what a reader sends from it. Every answer leads back to the page, also without JavaScript."""

from __future__ import annotations

import contextlib
from typing import Any
from uuid import UUID

from csp.constants import SELF
from csp.decorators import csp_update
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from labs import agent_client, lesson_page, lesson_rows, marking, options, sessions
from labs import reading as reading_marks
from labs.event_payload import storable
from labs.models import Answer, HintTaken, LabSession, Lesson, Measurement
from labs.previews import access
from labs.signed_in import login_required
from runtime_agent import facts

MAX_ANSWER_CHARS = 500
MAX_NUMBER = 1e15


def find(course: str, module: str, lesson: str) -> Lesson:
    return get_object_or_404(Lesson.objects.select_related("module__course"), slug=lesson, module__slug=module,
                             module__course__slug=course)


@require_safe
@csp_update({"frame-src": [SELF, f"*.{access.preview_host()}:*"]})
def show(request: HttpRequest, course: str, module: str, lesson: str) -> HttpResponse:
    """With ``?part=sandbox`` only what changes while a sandbox starts or ends; the text is most of a page's cost."""
    address = (course, module, lesson)
    if request.GET.get("part") == "sandbox":
        return render(request, "labs/_sandbox_part.html", lesson_page.context(request, address, with_text=False))
    return render(request, "labs/lesson.html", lesson_page.context(request, address))


def sent_by_script(request: HttpRequest) -> bool:
    """Does a page of ours read the answer, and put what it needs of it in its place?"""
    return request.headers.get("X-Requested-With") == "fetch"


@require_POST
@login_required
def start(request: HttpRequest, course: str, module: str, lesson: str) -> HttpResponse:
    """Start, retry, start over, or resume: one button each, all end in one active session. A page that has not had a sandbox
    yet differs afterwards only in what a sandbox's part shows, which is a third of the cost of leading it to itself."""
    address = (course, module, lesson)
    found, last = lesson_rows.open_lesson(request.user, *address)
    try:
        if wanted := request.POST.get("resume"):
            session = LabSession.objects.filter(user=request.user, lesson=found, pk=_uuid(wanted)).first()
            if session is None:
                raise Http404
            sessions.resume(session.id)
        else:
            sessions.start(request.user, found)
    except sessions.Refused as refused:
        messages.error(request, refusal(refused.reason), extra_tags=refused.reason)
    if last is None and sent_by_script(request):
        return render(request, "labs/_sandbox_answer.html", lesson_page.context(request, address, with_text=False))
    return redirect(found)


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise Http404 from None


def refusal(reason: str) -> str:
    """Why the site says no, and what to do."""
    return {
        "no-lab": _("This lesson has no lab."),
        "maximum": _("You have as many sandboxes running as you may. End one of them first: your progress page lists them."),
        "no-worker": _("The worker host of this sandbox is not running. Try again later, or tell whoever runs this site."),
        "no-point": _("There is no copy of your files from the beginning of that step. You can start the sandbox over."),
        "wrong-state": _("This sandbox is not in a state for that any more. The page shows how it stands."),
    }.get(reason, _("That was not possible. Reload the page and try again."))


@require_POST
@login_required
def hint(request: HttpRequest, course: str, module: str, lesson: str, block: str) -> HttpResponse:
    found = find(course, module, lesson)
    block_of(found, block, "hint")
    HintTaken.objects.get_or_create(user=request.user, lesson=found, hint=block)
    return redirect(f"{found.get_absolute_url()}#hint-{block}")


@require_POST
@login_required
def answer(request: HttpRequest, course: str, module: str, lesson: str, block: str) -> HttpResponse:
    """A prediction is kept as first given; a quiz may be answered again."""
    found = find(course, module, lesson)
    asked = block_of(found, block, "predict", "quiz")
    if asked["kind"] == "predict":
        given = storable(_predicted(request, found, asked))
        if given:
            Answer.objects.get_or_create(user=request.user, lesson=found, block=block, defaults={
                "kind": "predict", "given": given, "correct": is_predicted(asked, given)})
    else:
        given_all = {question["id"]: storable(_given(request, found, block, question)) for question in asked["questions"]}
        right = all(marking.is_right(question, given_all[question["id"]]) for question in asked["questions"])
        Answer.objects.update_or_create(user=request.user, lesson=found, block=block, defaults={
            "kind": "quiz", "given": given_all, "correct": right})
    return redirect(f"{found.get_absolute_url()}#{asked['kind']}-{block}")


def _predicted(request: HttpRequest, lesson: Lesson, asked: dict[str, Any]) -> str:
    given = request.POST.get("answer", "")[:MAX_ANSWER_CHARS]
    if asked["kind_of"] != "choice":
        return given
    return options.ids(asked["options"], options.key_of(request.user, lesson, asked["id"])).get(given, "")


def is_predicted(asked: dict[str, Any], given: str) -> bool:
    kind = "number" if asked["kind_of"] == "number" else "text"
    return marking.is_right({"kind": kind, "answer": asked["answer"], "tolerance": asked.get("tolerance")}, given)


def _given(request: HttpRequest, lesson: Lesson, block: str, question: dict[str, Any]) -> Any:
    """The answer with the options' own ids for the names that the page has for them."""
    field, kind = question["id"], question["kind"]
    ids = options.ids(question["options"], options.key_of(request.user, lesson, block, field))
    if kind == "multiple":
        return [ids[name] for name in request.POST.getlist(field) if name in ids]
    if kind == "order":
        return {option: request.POST.get(f"{field}.{name}", "").strip()[:4] for name, option in ids.items()}
    given = request.POST.get(field, "")[:MAX_ANSWER_CHARS]
    return ids.get(given, "") if kind == "single" else given


@require_POST
@login_required
def measurement(request: HttpRequest, course: str, module: str, lesson: str, block: str) -> HttpResponse:
    """Keep a number. What is none comes back with a sentence beside its field."""
    found = find(course, module, lesson)
    asked = block_of(found, block, "measure")
    try:
        value = _read(request, found, asked) if asked.get("facts") else _typed(request)
    except ValueError as problem:
        wrong = {block: {"error": str(problem), "typed": request.POST.get("value", "")}}
        return render(request, "labs/lesson.html", lesson_page.context(request, (course, module, lesson), wrong), status=422)
    Measurement.objects.update_or_create(user=request.user, lesson=found, block=block,
                                         defaults={"value": value, "unit": asked.get("unit") or ""})
    return redirect(f"{found.get_absolute_url()}#measure-{block}")


def _typed(request: HttpRequest) -> float:
    with contextlib.suppress(ValueError):
        value = float(request.POST.get("value", "").strip().replace(",", "."))
        if abs(value) < MAX_NUMBER:
            return value
    raise ValueError(_("Type a number, for example 12.5."))


def _read(request: HttpRequest, lesson: Lesson, asked: dict[str, Any]) -> float:
    """From the student's own sandbox, by its worker: what the page sends is not looked at."""
    session = LabSession.objects.filter(user=request.user, lesson=lesson, state=LabSession.State.READY).first()
    if session is None:
        raise ValueError(_("Your sandbox is not running: start it, do the step, then read the number."))
    try:
        found = agent_client.ask_facts(session, asked["facts"])
    except agent_client.BeingAsked:
        raise ValueError(_("This number is being read already. Wait a moment, then read it again.")) from None
    value = facts.in_unit(found, asked.get("unit") or "")
    if value is None:
        raise ValueError(_("Your sandbox shows no such number now: do the step first, then read it again."))
    return value


@require_POST
@login_required
def reading(request: HttpRequest, course: str, module: str, lesson: str) -> HttpResponse:
    """Remember that a section has been read, or without one that all have."""
    found = find(course, module, lesson)
    if not reading_marks.mark(request.user, found, request.POST.get("step", "")):
        raise Http404
    return _to_reading(request, found)


@require_POST
@login_required
def reading_removal(request: HttpRequest, course: str, module: str, lesson: str) -> HttpResponse:
    found = find(course, module, lesson)
    reading_marks.unmark(request.user, found)
    return _to_reading(request, found)


def _to_reading(request: HttpRequest, lesson: Lesson) -> HttpResponse:
    """The page's script asks for one section at a time and needs no page for it."""
    return HttpResponse(status=204) if "quiet" in request.POST else redirect(f"{lesson.get_absolute_url()}#reading")


def block_of(lesson: Lesson, block_id: str, *kinds: str) -> dict[str, Any]:
    """The block of that id and one of those kinds, also inside :::when; Http404 if the lesson has none."""
    waiting = [block for step in lesson.document.get("steps", []) for block in step["blocks"]]
    while waiting:
        block = waiting.pop()
        if block["kind"] in kinds and block["id"] == block_id:
            return block
        waiting += block.get("blocks", []) if block["kind"] == "when" else []
    raise Http404

