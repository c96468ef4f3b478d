"""What a student does to a session of their own; each is found through the user, so a stranger gets 404.

A page asks for JSON; a plain form is led back to its lesson.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from csp.constants import SELF
from csp.decorators import csp_replace
from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_POST, require_safe

from labs import agent_client, kept, notices, rewinding, sessions
from labs.events import title_of
from labs.lesson_views import refusal
from labs.models import LabSession, Terminal
from labs.previews import access, pages
from labs.signed_in import login_required
from runtime_agent import protocol


def find(request: HttpRequest, session_id: UUID) -> LabSession:
    return get_object_or_404(LabSession.objects.select_related("lesson__module__course"), pk=session_id,
                             user=request.user)


def wants_json(request: HttpRequest) -> bool:
    return "application/json" in request.headers.get("Accept", "")


@require_safe
@login_required
def show(request: HttpRequest, session_id: UUID) -> JsonResponse:
    session = find(request, session_id)
    return JsonResponse({**notices.state_of(session), "stage": session.stage})


def _answer(request: HttpRequest, session_id: UUID, change: Callable[[UUID], LabSession]) -> HttpResponse:
    session = find(request, session_id)
    try:
        state = notices.state_of(change(session_id))
    except sessions.Refused as refused:
        if wants_json(request):
            return JsonResponse({"reason": refused.reason, "sentence": refusal(refused.reason)}, status=409)
        messages.error(request, refusal(refused.reason))
        return redirect(came_from(request, session))
    return JsonResponse(state) if wants_json(request) else redirect(came_from(request, session))


def _action(change: Callable[[UUID], LabSession]) -> Callable[..., HttpResponse]:
    @require_POST
    @login_required
    def view(request: HttpRequest, session_id: UUID) -> HttpResponse:
        return _answer(request, session_id, change)
    return view


def came_from(request: HttpRequest, session: LabSession) -> Any:
    """The page whose form was sent: one's progress lists all sandboxes, else it was the lesson's own."""
    return "me-progress" if request.POST.get("from") == "progress" else session.lesson


extension, restart = _action(sessions.extend), _action(sessions.restart)
disposal = _action(kept.dispose)


@require_POST
@login_required
def end(request: HttpRequest, session_id: UUID) -> HttpResponse:
    """Stop for today, or with ``files=throw-away`` end for good."""
    is_for_good = request.POST.get("files") == "throw-away"
    return _answer(request, session_id, sessions.throw_away if is_for_good else sessions.end)


@require_POST
@login_required
def rewind(request: HttpRequest, session_id: UUID) -> HttpResponse:
    """Start the step named ``step`` over."""
    return _answer(request, session_id, lambda found: rewinding.rewind(found, request.POST.get("step", "")))


@require_safe
@login_required
@xframe_options_sameorigin
@csp_replace({"frame-ancestors": [SELF]})
def preview(request: HttpRequest, session_id: UUID, number: int) -> HttpResponse:
    """Send the owner to the preview's own origin, with a ticket that opens it."""
    session = find(request, session_id)
    address = access.Address(number, str(session_id))
    origin = access.origin_of(address, request.scheme, request.get_host())
    if number >= len(session.lab.get("previews", [])):
        raise Http404
    if origin is None:
        return HttpResponse(pages.no_host_name(), status=503)
    ticket = access.ticket_for(address, request.user.pk)
    return HttpResponseRedirect(f"{origin}{access.ENTER_PATH}?ticket={ticket}", headers={
        "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"})


@require_POST
@login_required
def terminals(request: HttpRequest, session_id: UUID) -> HttpResponse:
    """Open one more terminal, on the machine named or the lab's first, at most eight all told; or ``number`` again,
    whose shell has ended. Opening one that lives is harmless: the worker leaves it as it is.
    """
    session = find(request, session_id)
    machines = list(session.lab["machines"])
    machine = request.POST.get("machine") or machines[0]
    if machine not in machines or session.state != LabSession.State.READY:
        return JsonResponse({"sentence": refusal("wrong-state")}, status=409)
    with transaction.atomic():
        LabSession.objects.select_for_update(no_key=True).get(pk=session.pk)  # or two requests find the same number free
        known = dict(Terminal.objects.filter(session=session).values_list("number", "state"))
        again = [number for number in known if str(number) == request.POST.get("number")]
        free = again or [number for number in range(protocol.MAX_TERMINALS) if known.get(number, "closed") == "closed"]
        if not free:
            return JsonResponse({"sentence": _("Eight terminals are open. Close one of them first.")}, status=409)
        opened, _made = Terminal.objects.update_or_create(
            session=session, number=free[0], defaults={"machine": machine, "state": "opening",
                                                       "title": title_of(session, free[0])})
        transaction.on_commit(lambda: agent_client.open_terminal_later(session, opened.number, machine))
    return JsonResponse({"number": opened.number, "title": opened.title, "machine": machine})


@require_POST
@login_required
def terminal_end(request: HttpRequest, session_id: UUID, number: int) -> HttpResponse:
    """Hang a terminal up. Its number is free again when the worker has said so."""
    session = find(request, session_id)
    get_object_or_404(Terminal, session=session, number=number)
    if session.state == LabSession.State.READY:
        agent_client.close_terminal_later(session, number)
    return HttpResponse(status=204)
