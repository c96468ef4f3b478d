"""Certificates: one's own, the public page that says whether one is valid, and the staff's list."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from labs import certificates
from labs.models import Certificate, Course
from labs.signed_in import login_required


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def mine(request: HttpRequest, course: str) -> HttpResponse:
    """What is still missing, or the certificate and the name on it."""
    found = get_object_or_404(Course, slug=course)
    if not found.certificate:
        raise Http404
    own = certificates.of(request.user, found)
    form = certificates.NameForm(request.POST or None, initial={"name": own.name if own else request.user.get_full_name()})
    if request.method == "POST" and form.is_valid():
        try:
            certificates.give(request.user, found, form.cleaned_data["name"])
        except certificates.NotEarned:
            messages.error(request, _("Something that this course asks for is still missing: see below."))
        return redirect("certificate", course)
    needs = certificates.needs_of(request.user, found)
    return render(request, "labs/certificate.html", {
        "course": found, "certificate": own, "form": form, "needs": needs, "is_earned": certificates.is_earned(needs),
        "verification_url": verification_url(request, own) if own else ""}, status=422 if form.errors else 200)


@require_safe
@login_required
@never_cache
def pdf(request: HttpRequest, certificate: UUID) -> HttpResponse:
    """For its holder, and for nobody once it has been revoked."""
    found = get_object_or_404(Certificate, pk=certificate, user=request.user, revoked_at=None)
    from labs import certificate_pdf  # many modules, and hardly ever asked for
    return HttpResponse(certificate_pdf.draw(found, verification_url(request, found)), content_type="application/pdf",
                        headers={"Content-Disposition": 'attachment; filename="certificate.pdf"'})


def verification_url(request: HttpRequest, certificate: Certificate) -> str:
    path = certificate.get_absolute_url()
    return settings.ORIGIN + path if settings.ORIGIN else request.build_absolute_uri(path)


@require_safe
@never_cache
def verification(request: HttpRequest, certificate: str) -> HttpResponse:
    """For whoever has the link: valid, revoked or unknown; of the holder nothing but the name on it."""
    try:
        found = Certificate.objects.filter(pk=UUID(certificate)).only("name", "title", "revoked_at").first()
    except ValueError:
        found = None
    return render(request, "labs/verification.html", {"certificate": found}, status=200 if found else 404)


@require_safe
@login_required
def every(request: HttpRequest) -> HttpResponse:
    _need_staff(request)
    return render(request, "labs/certificates.html", {"certificates": Certificate.objects.select_related("user")})


def _need_staff(request: HttpRequest) -> None:
    if not request.user.is_staff:
        raise PermissionDenied


@require_POST
@login_required
def revocation(request: HttpRequest, certificate: UUID) -> HttpResponse:
    """Revoke, or with ``undo`` make valid again. Both may be asked twice."""
    _need_staff(request)
    found = get_object_or_404(Certificate, pk=certificate)
    if "undo" in request.POST:
        found.revoked_at = None
    else:
        found.revoked_at = found.revoked_at or timezone.now()
    found.save(update_fields=["revoked_at"])
    return redirect("certificates")
