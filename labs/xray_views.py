"""What a student does in the X-ray; the session is found through the user, so a stranger gets 404."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_POST

from labs import agent_client
from labs.limit_sliders import wishes_from
from labs.models import LabSession
from labs.session_views import find
from labs.signed_in import login_required


@require_POST
@login_required
def limits(request: HttpRequest, session_id: UUID) -> HttpResponse:
    """Ask the worker to move limits of one's own sandbox; the answer comes with the facts."""
    session = find(request, session_id)
    machine = request.POST.get("machine", "")
    if session.state != LabSession.State.READY or machine not in session.lab["machines"]:
        return HttpResponse(status=409)
    try:
        wishes = wishes_from(request.POST, session.lab)
    except ValueError:
        return HttpResponse(status=400)
    agent_client.limits_later(session, machine, wishes)
    return HttpResponse(status=202)
