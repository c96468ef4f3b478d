"""The two addresses that machines, not browsers, call: ``POST workers/join/`` and ``POST workers/leave/``."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from labs.hosts import joining
from runtime_agent import fleet

log = logging.getLogger(__name__)


@csrf_exempt  # the caller is no browser and has no cookie: the signature is what lets it in
@require_POST
def join(request: HttpRequest) -> JsonResponse:
    return _answer(lambda: joining.join(request.body))


@csrf_exempt
@require_POST
def leave(request: HttpRequest) -> JsonResponse:
    return _answer(lambda: {"left": joining.leave(request.body)})


def _answer(work: Callable[[], dict[str, Any]]) -> JsonResponse:
    try:
        return JsonResponse(work())
    except joining.JoinRefused as refused:
        log.warning("host refused reason=%s %s", refused.reason, refused.detail)
        return JsonResponse({"reason": refused.reason, "detail": refused.detail},
                            status=fleet.REFUSALS[refused.reason].status)
