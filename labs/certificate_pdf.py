"""A certificate as a page of A4: who, what, how long, when, and the link by which anybody can see that it is real."""

from __future__ import annotations

import functools
import io

import qrcode
from django.conf import settings
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4, landscape
from reportlab.lib.utils import simpleSplit
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from labs.models import Certificate

WIDTH, HEIGHT = landscape(A4)
MIDDLE = WIDTH / 2
INK, SOFT, ACCENT = HexColor("#1e2227"), HexColor("#565c63"), HexColor("#0a5c6b")
PLAIN, BOLD = "Certificate", "Certificate-Bold"
ROOM = WIDTH - 200
QR_SIDE = 74


def draw(certificate: Certificate, url: str) -> bytes:
    """The PDF file."""
    _load_fonts()
    body = io.BytesIO()
    page = Canvas(body, pagesize=(WIDTH, HEIGHT), lang=settings.LANGUAGE_CODE)
    page.setTitle(_("Certificate of %(name)s: %(title)s") % {"name": certificate.name, "title": certificate.title})
    page.setSubject(certificate.title)
    page.setAuthor("Bulkhead")
    page.setCreator("Bulkhead")
    _draw_frame(page)
    _line(page, HEIGHT - 128, PLAIN, 18, _("Certificate"), ACCENT)
    _line(page, HEIGHT - 200, BOLD, 34, certificate.name, INK)
    _line(page, HEIGHT - 240, PLAIN, 14, _("has finished the course"), SOFT)
    _draw_title(page, HEIGHT - 284, certificate.title)
    hours = ngettext("%d hour", "%d hours", certificate.hours) % certificate.hours
    day = date_format(localtime(certificate.issued_at), "j F Y")
    _line(page, 196, PLAIN, 13, _("%(hours)s of lessons, labs in real sandboxes and exams · %(day)s")
          % {"hours": hours, "day": day}, SOFT)
    _draw_link(page, url)
    page.showPage()
    page.save()
    return body.getvalue()


@functools.cache
def _load_fonts() -> None:
    folder = settings.BASE_DIR / "static" / "dist" / "print"
    pdfmetrics.registerFont(TTFont(PLAIN, folder / "DejaVuSans.ttf"))
    pdfmetrics.registerFont(TTFont(BOLD, folder / "DejaVuSans-Bold.ttf"))


def _draw_frame(page: Canvas) -> None:
    """Boundaries inside boundaries, as in the course's figures."""
    for inset, width, colour in ((28, 2.4, ACCENT), (40, 0.8, SOFT), (52, 0.8, SOFT)):
        page.setLineWidth(width)
        page.setStrokeColor(colour)
        page.roundRect(inset, inset, WIDTH - 2 * inset, HEIGHT - 2 * inset, 14 - inset / 8)


def _line(page: Canvas, y: float, font: str, size: float, text: str, colour: HexColor) -> None:
    """One line in the middle, smaller if it would not fit."""
    while pdfmetrics.stringWidth(text, font, size) > ROOM and size > 8:
        size -= 0.5
    page.setFont(font, size)
    page.setFillColor(colour)
    page.drawCentredString(MIDDLE, y, text)


def _draw_title(page: Canvas, y: float, title: str) -> None:
    for number, line in enumerate(simpleSplit(title, BOLD, 22, ROOM)[:3]):
        _line(page, y - 30 * number, BOLD, 22, line, INK)


def _draw_link(page: Canvas, url: str) -> None:
    """The code to scan, and the same as text that can be clicked and typed."""
    code = qrcode.QRCode(border=0, error_correction=qrcode.constants.ERROR_CORRECT_M)
    code.add_data(url)
    code.make(fit=True)
    rows = code.get_matrix()
    side, left, bottom = QR_SIDE / len(rows), MIDDLE - QR_SIDE / 2, 88
    page.setFillColor(INK)
    for y, row in enumerate(rows):
        for x, is_dark in enumerate(row):
            if is_dark:
                page.rect(left + x * side, bottom + QR_SIDE - (y + 1) * side, side, side, stroke=0, fill=1)
    page.linkURL(url, (left, bottom, left + QR_SIDE, bottom + QR_SIDE))
    _line(page, 70, PLAIN, 9, url, ACCENT)
    width = min(pdfmetrics.stringWidth(url, PLAIN, 9), ROOM)
    page.linkURL(url, (MIDDLE - width / 2, 66, MIDDLE + width / 2, 80))
