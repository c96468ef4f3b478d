"""Which headers cross the border of a preview, and how they are changed on the way.

To the machine: it is told that it is asked as localhost on its own port, which is what a development server
expects, and never sees the cookie that lets the browser in. From the machine: nothing that would act on more
than the preview's own host name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from labs.previews.http1 import Headers

HOP_BY_HOP = frozenset({b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"proxy-connection",
                        b"te", b"trailer", b"transfer-encoding", b"upgrade"})
"""RFC 9110, 7.6.1."""
NOT_IN = HOP_BY_HOP | {b"host", b"cookie", b"origin", b"referer", b"content-length", b"expect", b"forwarded",
                       b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto"}
NOT_OUT = HOP_BY_HOP | {
    b"strict-transport-security", b"alt-svc", b"public-key-pins",  # would bind the browser beyond this preview
    b"clear-site-data",                                            # "cookies" reaches the whole registered domain
    b"x-frame-options", b"set-cookie", b"location", b"content-length", b"date", b"server",
    b"nel", b"report-to", b"reporting-endpoints"}
COOKIE_ATTRIBUTES = frozenset({"path", "expires", "max-age", "httponly"})


def to_machine(headers: Iterable[tuple[bytes, bytes]], host: str, scheme: str, port: int, own_cookie: str) -> Headers:
    """The request's headers as the machine gets them, less those of its body. ``host`` is the preview's."""
    given = [(name.lower(), value) for name, value in headers]
    named = {word.strip().lower() for name, value in given if name == b"connection" for word in value.split(b",")}
    local, shown = f"http://localhost:{port}", f"{scheme}://{host}"
    result: Headers = [(b"host", f"localhost:{port}".encode()), (b"x-forwarded-host", host.encode()),
                       (b"x-forwarded-proto", scheme.encode())]
    for name, value in given:
        if name not in NOT_IN and name not in named:
            result.append((name, value))
        elif name in (b"origin", b"referer") and value.decode("latin-1").startswith(shown):
            result.append((name, local.encode() + value[len(shown):]))
    cookies = [cookie.strip() for name, value in given if name == b"cookie" for cookie in value.split(b";")]
    kept = [cookie for cookie in cookies if cookie.partition(b"=")[0].strip() != own_cookie.encode()]
    return [*result, (b"cookie", b"; ".join(kept))] if kept else result


def from_machine(headers: Headers, port: int, own_cookie: str, cookie_ending: str) -> Headers:
    """The answer's headers as the browser gets them."""
    named = {word.strip().lower() for name, value in headers if name == b"connection" for word in value.split(b",")}
    result = [(name, value) for name, value in headers if name not in NOT_OUT and name not in named]
    for name, value in headers:
        if name == b"location":
            result.append((name, _location(value, port)))
        elif name == b"set-cookie" and (cookie := _cookie(value.decode("latin-1"), own_cookie, cookie_ending)):
            result.append((name, cookie.encode("latin-1")))
    return result


def _location(value: bytes, port: int) -> bytes:
    """Where the machine means itself, the path alone leads there through the site."""
    target = urlsplit(value.decode("latin-1"))
    if target.netloc not in (f"localhost:{port}", f"127.0.0.1:{port}", "localhost", "127.0.0.1"):
        return value
    path = "/" + target.path.lstrip("/")  # "//x" would be another host
    return (path + (f"?{target.query}" if target.query else "")
            + (f"#{target.fragment}" if target.fragment else "")).encode("latin-1")


def _cookie(value: str, own_cookie: str, ending: str) -> str | None:
    """A cookie of this host name only, which the browser sends back although the page is in a frame."""
    pair, *attributes = [part.strip() for part in value.split(";")]
    name, equals, _ = pair.partition("=")
    if not equals or name.strip().lower() == own_cookie.lower() or re.match(r"__(host|secure)-", name.strip(), re.I):
        return None
    kept = [part for part in attributes if part.partition("=")[0].strip().lower() in COOKIE_ATTRIBUTES]
    return "; ".join([pair, *kept]) + ending
