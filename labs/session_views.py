"""What a student does to a session of their own; each is found through the user, so a stranger gets 404."""

from collections.abc import Callable
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_POST, require_safe

from labs import notices, sessions
from labs.models import LabSession


@require_safe
@login_required
def show(request: HttpRequest, session_id: UUID) -> JsonResponse:
    session = get_object_or_404(LabSession, pk=session_id, user=request.user)
    return JsonResponse({**notices.state_of(session), "stage": session.stage})


def _action(change: Callable[[UUID], LabSession]) -> Callable[..., HttpResponse]:
    @require_POST
    @login_required
    def view(request: HttpRequest, session_id: UUID) -> HttpResponse:
        get_object_or_404(LabSession, pk=session_id, user=request.user)
        try:
            return JsonResponse(notices.state_of(change(session_id)))
        except sessions.Refused as refused:
            return JsonResponse({"reason": refused.reason}, status=409)
    return view


extension, end, restart = _action(sessions.extend), _action(sessions.end), _action(sessions.restart)
