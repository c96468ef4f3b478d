"""Log lines as JSON: one object a line, with the session's id wherever there is one. And errors to a Sentry, if one is named."""

import asyncio
import gzip
import io
import json
import logging
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from environs import Env, EnvError

from labsite import logs, sentry

SESSION = "0f5a3b9e-1111-4222-8333-444455556666"


@pytest.fixture
def lines():
    """``lines()`` is what the logger ``here`` has written, decoded."""
    written, logger = io.StringIO(), logging.getLogger("here")
    handler = logging.StreamHandler(written)
    handler.setFormatter(logs.json_formatter("web"))
    requests = logging.getLogger("labsite.requests")
    for one in (logger, requests):
        one.addHandler(handler)
        one.setLevel(logging.INFO)
    yield lambda: [json.loads(line) for line in written.getvalue().splitlines()]
    for one in (logger, requests):
        one.removeHandler(handler)


def test_a_line_is_an_object_with_its_session(lines):
    logging.getLogger("here").warning("notice lost session_id=%s: %s", SESSION, "away\nfor good")
    logging.getLogger("here").info("no session, task %s", SESSION)
    first, second = lines()
    assert (first["session_id"], first["level"], first["logger"], first["process"]) == (SESSION, "warning", "here", "web")
    assert "session_id" not in second, "another uuid is no session"
    assert first["timestamp"].endswith("Z")


def test_an_exception_stays_on_its_line(lines):
    try:
        raise ValueError("broken")
    except ValueError:
        logging.getLogger("here").exception("failed")
    assert "ValueError: broken" in lines()[0]["exception"]


def test_all_lines_of_a_task_name_its_session(lines):
    logs.bind_task(kwargs={"session_id": SESSION})
    logging.getLogger("here").info("within")
    logs.unbind_task()
    logging.getLogger("here").info("after")
    assert [line.get("session_id") for line in lines()] == [SESSION, None]


def ask(path: str, site) -> None:
    async def send(message):
        return None
    asyncio.run(logs.Requests(site)({"type": "http", "method": "GET", "path": path, "query_string": b"ticket=secret"}, None, send))


def test_a_request_is_one_line_and_names_its_session_within(lines):
    async def site(scope, receive, send):
        logging.getLogger("here").info("inside")
        await send({"type": "http.response.start", "status": 404})
    ask(f"/sessions/{SESSION}/end/", site)
    inside, request = lines()
    assert inside["session_id"] == request["session_id"] == SESSION
    assert request["event"].startswith(f"GET /sessions/{SESSION}/end/ 404 ")


def test_no_secret_of_an_address_is_written_and_no_probe(lines):
    async def site(scope, receive, send):
        await send({"type": "http.response.start", "status": 200})
    for path in ("/accounts/one-time/abc:def/", "/healthz", "/metrics"):
        ask(path, site)
    (line,) = lines()
    assert line["event"].startswith("GET /accounts/one-time/.../ 200 ")


@pytest.fixture
def server():
    """A Sentry: (its DSN, the events that came)."""
    came = []

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            came.append((self.path, self.headers["X-Sentry-Auth"], gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            return
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://public@127.0.0.1:{server.server_port}/42", came
    server.shutdown()
    server.server_close()


def test_an_error_reaches_sentry_without_what_the_variables_held(server):
    dsn, came = server
    handler, logger = sentry.SentryHandler(dsn), logging.getLogger("reported")
    logger.addHandler(handler)
    try:
        hidden = "a student's password"
        raise ValueError(len(hidden))
    except ValueError:
        logger.exception("start failed session_id=%s", SESSION)
    logger.warning("no error")
    handler.flush()
    logger.removeHandler(handler)
    ((path, auth, body),) = came
    head, kind, event = (json.loads(line) for line in body.splitlines())
    assert path == "/api/42/envelope/"
    assert "sentry_key=public" in auth
    assert (head["event_id"], kind) == (event["event_id"], {"type": "event"})
    assert event["tags"] == {"session_id": SESSION}
    assert event["exception"]["values"][0]["stacktrace"]["frames"][-1]["function"].startswith("test_an_error")
    assert hidden not in body.decode().replace("hidden = \"a student's password\"", "")


def test_a_sentry_that_is_away_costs_nothing():
    handler = sentry.SentryHandler("http://public@127.0.0.1:9/1")
    for _ in range(3):
        handler.emit(logging.LogRecord("x", logging.ERROR, "f", 1, "m", (), None))
    handler.flush()
    assert handler.queue.unfinished_tasks == 0


def test_a_sentry_that_talks_nonsense_gets_the_next_report_too():
    """http.client.BadStatusLine is no OSError."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        handler = sentry.SentryHandler(f"http://public@127.0.0.1:{door.getsockname()[1]}/1")
        for _ in range(2):
            handler.emit(logging.LogRecord("x", logging.ERROR, "f", 1, "m", (), None))
            door.settimeout(10)
            line, _ = door.accept()
            with line:
                line.recv(65536)
                line.sendall(b"nonsense\r\n\r\n")
        handler.flush()
    assert handler.queue.unfinished_tasks == 0


@pytest.mark.parametrize("dsn", ["nonsense", "https://host/1", "https://key@host/", "https://key@host/project", "ftp://key@host/1"])
def test_a_bad_dsn_is_said_at_start(dsn, monkeypatch):
    monkeypatch.setenv("BULKHEAD_SENTRY_DSN", dsn)
    with pytest.raises(EnvError, match="BULKHEAD_SENTRY_DSN.*https://<key>@<host>"):
        Env(prefix="BULKHEAD_").str("SENTRY_DSN", validate=sentry.check)


def test_sentry_is_off_by_default(settings):
    assert settings.SENTRY_DSN == ""
    assert "sentry" not in settings.LOGGING["handlers"]
