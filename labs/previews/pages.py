"""What a preview shows instead of the machine's page: one sentence, and what to do."""

from __future__ import annotations

from django.utils.html import escape
from django.utils.translation import gettext as _

from labs.previews.access import Target
from runtime_agent.protocol.tunnel_codec import TunnelEnd

HEADERS = [(b"content-type", b"text/html; charset=utf-8"), (b"cache-control", b"no-store"),
           (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'"),
           (b"x-content-type-options", b"nosniff")]
AGAIN_SECONDS = 3
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>%(title)s</title>%(again)s
<style>body{font:1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:4rem auto;padding:0 1rem;color-scheme:light dark}</style>
<h1>%(title)s</h1><p>%(text)s</p></html>"""


def page(title: str, text: str, again: bool = False) -> bytes:
    """``again`` lets the browser ask again by itself."""
    mark = f'<meta http-equiv="refresh" content="{AGAIN_SECONDS}">' if again else ""
    return (PAGE % {"title": escape(title), "text": escape(text), "again": mark}).encode()


def not_found() -> bytes:
    return page(_("Not found"), _("There is no such preview for you. Open it from the lesson page, while its sandbox runs."))


def no_host_name() -> bytes:
    return page(_("No preview"), _("Web previews need a host name of their own on this site: whoever runs it sets "
                                   "BULKHEAD_PREVIEW_HOST (docs/operator.md)."))


def failure(end: TunnelEnd, target: Target) -> tuple[int, bytes]:
    """(HTTP status, page) for a stream that has ended badly."""
    place = {"port": target.port, "machine": target.machine}
    if end is TunnelEnd.NOTHING_LISTENS:
        return 502, page(_("Nothing there yet"), _("Nothing listens on port %(port)d in the machine %(machine)s yet. "
                                                   "This page tries again by itself.") % place, again=True)
    sentences = {
        TunnelEnd.NO_SANDBOX: (502, _("The machine %(machine)s is not running.")),
        TunnelEnd.NOT_A_PREVIEW: (502, _("The worker does not know port %(port)d as a preview of this lab.")),
        TunnelEnd.TOO_MANY: (503, _("Too many connections to this sandbox are open. Close some and reload.")),
        TunnelEnd.TOO_SLOW: (504, _("The program on port %(port)d did not answer in time.")),
        TunnelEnd.BROKEN: (502, _("The program on port %(port)d closed the connection before it had answered.")),
        TunnelEnd.LOST: (502, _("The connection to the sandbox was lost. Reload this page.")),
        TunnelEnd.NO_WORKER: (503, _("The worker host of this sandbox does not carry previews at the moment. "
                                     "Reload this page; if it stays so, tell whoever runs this site.")),
    }
    status, sentence = sentences.get(end, sentences[TunnelEnd.LOST])
    return status, page(_("No preview"), sentence % place)


def bad_answer(target: Target, why: str) -> bytes:
    return page(_("No preview"), _("What came from port %(port)d is no HTTP answer that can be shown: %(why)s.")
                % {"port": target.port, "why": why})


def too_large(mebibytes: int) -> bytes:
    return page(_("Too large"), _("A preview takes requests and answers of up to %d MiB.") % mebibytes)
