"""A session's recorded terminals for its owner, and nobody else: the list with a player, transcripts, files.

Each session is found through the user, so a stranger gets 404; a name of a recording is an address, never a permission.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from csp.constants import WASM_UNSAFE_EVAL
from csp.decorators import csp_update
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from labs import recordings, transcript
from labs.models import LabSession
from labs.session_views import find
from labs.signed_in import login_required


def _page(request: HttpRequest, template: str, session: LabSession, status: int = 200, **context: Any) -> HttpResponse:
    """Nothing of a terminal is left in a cache."""
    response = render(request, template, {"session": session, "lesson": session.lesson, **context}, status=status)
    response["Cache-Control"] = "no-store"
    return response


@require_safe
@login_required
@csp_update({"script-src": [WASM_UNSAFE_EVAL]})
def index(request: HttpRequest, session_id: UUID) -> HttpResponse:
    """All recordings, the one to play first; the player's terminal is WebAssembly (docs/adr)."""
    session = find(request, session_id)
    try:
        found = recordings.of(session)
    except recordings.Unavailable:
        return _page(request, "labs/replay.html", session, status=503, is_away=True)
    chosen = next((one for one in found if one.name == request.GET.get("recording")), found[0] if found else None)
    return _page(request, "labs/replay.html", session, recordings=found, chosen=chosen)


def _cast(request: HttpRequest, session_id: UUID, name: str) -> tuple[LabSession, recordings.Cast]:
    session = find(request, session_id)
    try:
        return session, recordings.Cast(session, f"{name}.cast")
    except FileNotFoundError:
        raise Http404 from None


def _file(session: LabSession, name: str, text: str, kind: str) -> HttpResponse:
    ending = "cast" if "asciicast" in kind else "txt"
    return HttpResponse(text, content_type=f"{kind}; charset=utf-8", headers={
        "Content-Disposition": f'attachment; filename="{session.lesson.slug}-{name}.{ending}"', "Cache-Control": "no-store"})


@require_safe
@login_required
def cast(request: HttpRequest, session_id: UUID, name: str) -> HttpResponse:
    """The file, for the player and to download."""
    try:
        session, found = _cast(request, session_id, name)
    except recordings.Unavailable:
        return HttpResponse(status=503)
    return _file(session, name, found.as_file(), "application/x-asciicast")


@require_safe
@login_required
def transcript_page(request: HttpRequest, session_id: UUID, name: str) -> HttpResponse:
    """Each command as a heading over what it printed."""
    try:
        session, found = _cast(request, session_id, name)
    except recordings.Unavailable:
        return _page(request, "labs/replay.html", find(request, session_id), status=503, is_away=True)
    return _page(request, "labs/transcript.html", session, name=name, blocks=found.blocks())


@require_safe
@login_required
def transcript_file(request: HttpRequest, session_id: UUID, name: str) -> HttpResponse:
    try:
        session, found = _cast(request, session_id, name)
    except recordings.Unavailable:
        return HttpResponse(status=503)
    return _file(session, name, transcript.as_text(found.blocks()), "text/plain")
