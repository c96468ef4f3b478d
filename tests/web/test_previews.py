"""Web previews from the browser's request to the program's port and back."""

import asyncio
import contextlib

import pytest
import websockets
from channels.testing import WebsocketCommunicator

from labs import sessions
from labs.models import LabSession
from labs.previews import access, tunnel
from labs.previews.stream import Closed
from labsite.asgi import application
from labsite.checks import check_preview_host
from runtime_agent.protocol import tunnel_codec
from runtime_agent.protocol.tunnel_codec import TunnelEnd
from runtime_agent.stream import Rate
from tests.web.preview_stage import answering, hang, stage, wait_for

pytestmark = pytest.mark.django_db(transaction=True)
HELLO = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello"


@pytest.fixture
async def preview(redis_server, alice, lesson, asked):
    from asgiref.sync import sync_to_async
    session = await sync_to_async(sessions.start)(alice, lesson)
    session = await LabSession.objects.select_related("user").aget(pk=session.pk)
    async with stage(redis_server.url, session) as made:
        yield made


async def test_a_page_of_the_machine_is_shown_to_its_owner(preview):
    seen = []
    async with preview.program(answering(HELLO, seen)) as port:
        answer = await preview.ask("/a%20b?q=1", accept="text/plain")
    assert (answer.status, answer.text, answer.header("content-type"), answer.is_whole) == (200, "hello", ["text/plain"], True)
    assert seen[0].startswith(b"GET /a%20b?q=1 HTTP/1.1\r\nhost: localhost:" + str(port).encode())
    assert b"accept: text/plain" in seen[0]
    assert preview.targets.asked == [f"{preview.session.id}/box"]


async def test_a_form_reaches_the_program_whole(preview):
    seen, body = [], bytes(range(256)) * 1200
    async with preview.program(answering(HELLO, seen)):
        assert (await preview.ask("/", "POST", body, content_type="application/x-bytes")).status == 200
    assert seen[0].endswith(b"\r\n\r\n" + body)


@pytest.mark.parametrize(("answer", "text"), [
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nX: y\r\n\r\n", "hello world"),
    (b"HTTP/1.0 200 OK\n\nuntil the end", "until the end"),
    (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok and more", "ok"),
    (b"HTTP/1.1 204 No Content\r\nContent-Length: 7\r\n\r\n", "")])
async def test_every_framing_is_read(preview, answer, text):
    async with preview.program(answering(answer)):
        found = await preview.ask()
    assert (found.text, found.is_whole) == (text, True)


async def test_ten_megabytes_pass_both_ways(preview):
    body, seen = b"0123456789" * (1 << 20), []
    async with preview.program(answering(b"HTTP/1.1 200 OK\r\n\r\n" + body, seen)):
        answer = await preview.ask("/", "PUT", body)
    assert answer.body == body
    assert seen[0].endswith(body)


@pytest.mark.parametrize("answer", [
    b"SSH-2.0-OpenSSH_9.2\r\n\r\n", b"", b"HTTP/1.1 200 OK\r\nbad header\r\n\r\n", b"HTTP/1.1 101 Switching\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70000, b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n"])
async def test_what_is_no_answer_is_said_in_words(preview, answer):
    async with preview.program(answering(answer)):
        found = await preview.ask()
    assert found.status in (502, 413)
    assert "<h1>" in found.text


async def test_a_cut_answer_is_never_finished(preview):
    async with preview.program(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nonly this")):
        found = await preview.ask()
    assert (found.status, found.text, found.is_whole) == (200, "only this", False)


async def test_a_port_where_nothing_listens_is_told_and_asked_again(preview):
    async with preview.program(answering(HELLO)) as port:
        pass
    await asyncio.sleep(0)
    found = await preview.ask()
    assert found.status == 502
    assert f"Nothing listens on port {port} in the machine box yet" in found.text
    assert "refresh" in found.text


async def test_a_dead_worker_is_told_at_once_and_in_the_middle(preview):
    async with preview.program(hang):
        waiting = asyncio.ensure_future(preview.ask())
        await wait_for(lambda: preview.targets.asked)
        await preview.kill_worker()
        found = await preview.ask()
        assert (found.status, "does not carry previews" in found.text) == (503, True)
        assert (await waiting).status == 503
        await preview.start_worker()


async def test_a_worker_that_starts_again_ends_what_waits(preview):
    async with preview.program(hang):
        waiting = asyncio.ensure_future(preview.ask())
        await wait_for(lambda: preview.targets.asked)
        await preview.kill_worker()
        await preview.start_worker()
        found = await waiting
        assert (found.status, "lost" in found.text) == (502, True)


# --- who may --------------------------------------------------------------------------------------------------


async def test_bob_and_charlie_find_nothing(preview, bob):
    async with preview.program(answering(HELLO)):
        assert (await preview.ask(cookie=preview.cookie(bob))).status == 404
        assert (await preview.ask(cookie="")).status == 404
        assert (await preview.ask(cookie="bulkhead-preview=forged")).status == 404
        assert preview.targets.asked == []


async def test_a_cookie_opens_one_preview_only(preview):
    async with preview.program(answering(HELLO)):
        other = access.Address(1, str(preview.session.id))
        assert (await preview.ask(host=f"{other.label}.localhost:8000")).status == 404
        assert (await preview.ask(host="www.localhost:8000")).status == 404


async def test_signing_out_closes_the_previews(preview):
    from django.contrib.auth.signals import user_logged_out
    async with preview.program(answering(HELLO)):
        cookie = preview.cookie()
        assert (await preview.ask(cookie=cookie)).status == 200
        await user_logged_out.asend(sender=None, request=None, user=preview.session.user)
        access._remembered.clear()
        assert (await preview.ask(cookie=cookie)).status == 404


@pytest.mark.parametrize("state", ["queued", "starting", "ending", "ended", "failed"])
async def test_a_session_that_is_not_ready_has_no_previews(preview, state):
    async with preview.program(answering(HELLO)):
        await LabSession.objects.filter(pk=preview.session.pk).aupdate(state=state)
        access._remembered.clear()
        assert (await preview.ask()).status == 404


async def test_a_ticket_becomes_a_cookie_of_its_own_preview(preview):
    ticket = access.ticket_for(preview.address, preview.session.user.pk)
    async with preview.program(answering(HELLO)):
        entered = await preview.ask(f"/.bulkhead/enter?ticket={ticket}", cookie="")
        (cookie,) = entered.header("set-cookie")
        assert (entered.status, entered.header("location")) == (303, ["/"])
        assert "HttpOnly" in cookie and "Domain" not in cookie
        assert (await preview.ask(cookie=cookie.partition(";")[0])).text == "hello"
    other = f"{access.Address(1, str(preview.session.id)).label}.localhost"
    assert (await preview.ask(f"/.bulkhead/enter?ticket={ticket}", cookie="", host=other)).status == 404


async def test_an_old_ticket_opens_nothing(preview, monkeypatch):
    ticket = access.ticket_for(preview.address, preview.session.user.pk)
    monkeypatch.setattr(access, "TICKET_SECONDS", -1)
    assert (await preview.ask(f"/.bulkhead/enter?ticket={ticket}", cookie="")).status == 404


def test_the_owner_is_sent_to_the_preview_and_nobody_else(client, alice, bob, lesson, asked):
    session = sessions.start(alice, lesson)
    LabSession.objects.update(lab={**session.lab, "previews": [{"title": "Web", "machine": "box", "port": 80}]})
    url = f"/sessions/{session.id}/previews/0/"
    assert client.get(url).status_code == 302 and "login" in client.get(url)["Location"]
    client.force_login(bob)
    assert client.get(url).status_code == 404
    client.force_login(alice)
    sent = client.get(url, headers={"host": "127.0.0.1:8000"})
    label = f"0-{session.id.hex}"
    assert sent["Location"].startswith(f"http://{label}.localhost:8000/.bulkhead/enter?ticket=")
    assert client.get(f"/sessions/{session.id}/previews/1/", headers={"host": "localhost"}).status_code == 404


def test_without_a_host_name_for_previews_the_frame_says_so(client, alice, lesson, asked, settings):
    settings.ALLOWED_HOSTS = ["lab.example.org"]
    session = sessions.start(alice, lesson)
    LabSession.objects.update(lab={**session.lab, "previews": [{"title": "Web", "machine": "box", "port": 80}]})
    client.force_login(alice)
    answer = client.get(f"/sessions/{session.id}/previews/0/", headers={"host": "lab.example.org"})
    assert (answer.status_code, answer["X-Frame-Options"]) == (503, "SAMEORIGIN")
    assert "BULKHEAD_PREVIEW_HOST" in answer.content.decode()
    assert "frame-ancestors 'self'" in answer["Content-Security-Policy"]


def test_elsewhere_previews_need_a_host_name_of_their_own(settings):
    address = access.Address(0, "aaaaaaaa-0000-4000-8000-000000000001")
    assert access.origin_of(address, "https", "lab.example.org") is None
    settings.PREVIEW_HOST = "preview.example.org"
    assert access.origin_of(address, "https", "lab.example.org") == f"https://{address.label}.preview.example.org"
    assert access.address_of(f"{address.label}.preview.example.org") == address
    assert access.address_of(f"{address.label}.localhost") is None
    assert not access.is_preview_host("lab.example.org")


@pytest.mark.parametrize(("preview_host", "allowed", "wrong"), [
    ("", ["127.0.0.1", "localhost"], []), ("preview.example.org", ["example.org"], []),
    ("https://x", ["example.org"], ["bulkhead.E004"]), ("*.example.org", ["example.org"], ["bulkhead.E004"]),
    ("preview.example.org", [".example.org"], ["bulkhead.E005"]), ("", ["*"], ["bulkhead.E005"])])
def test_the_settings_must_not_let_a_preview_pass_for_the_site(settings, preview_host, allowed, wrong):
    settings.PREVIEW_HOST, settings.ALLOWED_HOSTS = preview_host, allowed
    assert [found.id for found in check_preview_host()] == wrong


async def test_the_site_does_not_answer_on_a_preview_host(preview):
    assert (await preview.ask("/accounts/login/", host="x.localhost:8000")).status == 404


# --- what crosses -----------------------------------------------------------------------------------------


async def test_the_machine_never_sees_the_cookie_that_lets_the_browser_in(preview):
    seen = []
    async with preview.program(answering(HELLO, seen)) as port:
        await preview.ask(cookie=f"theme=dark; {preview.cookie()}; cart=7", origin=f"http://{preview.host}",
                          referer=f"http://{preview.host}/shop", connection="x-secret", x_secret="1", expect="100-continue")
        await preview.ask(origin="http://127.0.0.1:8000", referer="http://127.0.0.1:8000/learn/")
    first, second = (head.decode() for head in seen)
    assert "cookie: theme=dark; cart=7\r\n" in first and "bulkhead-preview" not in first
    assert f"origin: http://localhost:{port}\r\n" in first and f"referer: http://localhost:{port}/shop\r\n" in first
    assert "x-secret" not in first and "expect" not in first
    assert "origin" not in second and "referer" not in second


async def test_what_would_reach_beyond_the_preview_is_taken_away(preview):
    answer = (b"HTTP/1.1 302 Found\r\nLocation: http://localhost:%d/next?a=1\r\nSet-Cookie: a=1; Domain=localhost; Path=/x\r\n"
              b"Set-Cookie: bulkhead-preview=stolen\r\nSet-Cookie: __Host-sessionid=1; Secure; Path=/\r\n"
              b"Strict-Transport-Security: max-age=9\r\nClear-Site-Data: \"cookies\"\r\nX-Frame-Options: DENY\r\n"
              b"Connection: X-Own\r\nX-Own: 1\r\nX-Kept: 1\r\nContent-Length: 0\r\n\r\n")

    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer % writer.get_extra_info("sockname")[1])
        writer.close()
    async with preview.program(serve):
        found = await preview.ask()
    assert found.header("location") == ["/next?a=1"]
    assert found.header("set-cookie") == ["a=1; Path=/x; Secure; SameSite=None; Partitioned"]
    assert {name.decode() for name, _ in found.headers} == {"location", "set-cookie", "x-kept", "content-length"}


# --- bounds -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("more", "status"), [(-1, 200), (0, 200), (1, 413)])
async def test_a_body_is_bounded_in_both_directions(preview, monkeypatch, more, status):
    monkeypatch.setattr("labs.previews.app.MAX_BYTES", 1000)
    body = b"x" * (1000 + more)
    async with preview.program(answering(HELLO)):
        assert (await preview.ask("/", "POST", body)).status == status
    async with preview.program(answering(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)):
        assert (await preview.ask()).status == status
    async with preview.program(answering(b"HTTP/1.1 200 OK\r\n\r\n" + body)):
        assert (await preview.ask()).is_whole == (status == 200)


async def test_a_program_that_never_answers_is_given_up(preview, monkeypatch):
    monkeypatch.setattr("labs.previews.app.HEAD_SECONDS", 0.2)
    async with preview.program(hang):
        found = await preview.ask()
    assert (found.status, "did not answer in time" in found.text) == (504, True)


async def test_a_session_has_so_many_streams_and_no_more(preview, monkeypatch):
    monkeypatch.setattr("runtime_agent.tunnel.MAX_STREAMS_PER_SESSION", 3)
    async with preview.program(hang) as port:
        tunnels = tunnel.current()
        streams = [await tunnels.open("h1", str(preview.session.id), "box", port) for _ in range(3)]
        found = await preview.ask()
        assert (found.status, "Too many connections" in found.text) == (503, True)
        await streams.pop().close()
        await wait_for(lambda: len(preview.worker.streams) == 2)
        streams.append(await tunnels.open("h1", str(preview.session.id), "box", port))
        for stream in streams:
            await stream.close()


async def test_a_flood_stops_at_the_window_until_it_is_read(preview):
    async def flood(reader, writer):
        with contextlib.suppress(ConnectionError):
            while True:
                writer.write(b"x" * 65536)
                await writer.drain()
    async with preview.program(flood) as port:
        stream = await tunnel.current().open("h1", str(preview.session.id), "box", port)
        await wait_for(lambda: stream.received == tunnel_codec.WINDOW_BYTES)
        await asyncio.sleep(0.2)
        assert stream.received == tunnel_codec.WINDOW_BYTES
        taken = 0
        while taken < 4 * tunnel_codec.WINDOW_BYTES:
            taken += len(await stream.read())
        await stream.close()


async def test_a_lost_frame_ends_the_stream(preview):
    async with preview.program(answering(HELLO)) as port:
        stream = await tunnel.current().open("h1", str(preview.session.id), "box", port)
        stream.sent += 1  # as if a byte had not arrived
        await stream.write(b"GET / HTTP/1.1\r\n\r\n")
        with pytest.raises(Closed) as caught:
            await stream.read()
        assert caught.value.end is TunnelEnd.LOST
        await stream.close()


async def test_a_browser_that_leaves_takes_its_stream_along(preview):
    async with preview.program(hang):
        asking = asyncio.ensure_future(preview.ask())
        await wait_for(lambda: preview.worker.streams)
        preview.inbox.put_nowait({"type": "http.disconnect"})
        await asking
        await wait_for(lambda: not preview.worker.streams)


async def test_the_rate_of_a_session_is_bounded():
    rate, loop = Rate(1000), asyncio.get_running_loop()
    started = loop.time()
    for _ in range(13):
        await rate.take(100)
    assert 0.25 <= loop.time() - started < 2, "a second's worth at once, the rest at its pace"


# --- WebSockets -------------------------------------------------------------------------------------------


async def echo(connection):
    async for message in connection:
        if message == "close":
            await connection.close(4001)
            return
        await connection.send(message)


async def dial(preview, path="/chat", origin=None, cookie=None, subprotocols=()):
    """A browser's WebSocket on the preview, accepted; or None with the close code."""
    headers = {"host": preview.host, "cookie": cookie or preview.cookie(), "origin": origin or f"http://{preview.host}"}
    browser = WebsocketCommunicator(application, path, subprotocols=list(subprotocols),
                                    headers=[(name.encode(), value.encode()) for name, value in headers.items()])
    accepted, answer = await browser.connect(timeout=10)
    return (browser, answer) if accepted else (None, answer)


async def test_a_websocket_echoes_text_bytes_and_large_messages(preview):
    seen = []

    async def serve(connection):
        seen.append(connection.request)
        await echo(connection)
    async with websockets.serve(serve, "127.0.0.1", 0, subprotocols=["chat"]) as server:
        port = server.sockets[0].getsockname()[1]
        await preview.show(port)
        browser, subprotocol = await dial(preview, "/chat?room=1", subprotocols=["chat"])
        assert subprotocol == "chat"
        for message in ("grüße", b"\x00\xff", "x" * 900_000):
            await browser.send_to(**{"text_data" if isinstance(message, str) else "bytes_data": message})
            assert await browser.receive_from(timeout=10) == message
        await browser.send_to(text_data="close")
        assert await browser.receive_output(timeout=10) == {"type": "websocket.close", "code": 4001}
    request = seen[0]
    assert (request.path, request.headers["Host"], request.headers["Origin"]) == (
        "/chat?room=1", f"localhost:{port}", f"http://localhost:{port}")
    assert "Cookie" not in request.headers


async def test_a_websocket_that_the_browser_closes_is_closed_in_the_machine(preview):
    closed = asyncio.Event()

    async def serve(connection):
        await connection.wait_closed()
        closed.set()
    async with websockets.serve(serve, "127.0.0.1", 0) as server:
        await preview.show(server.sockets[0].getsockname()[1])
        browser, _ = await dial(preview)
        await browser.disconnect()
        await asyncio.wait_for(closed.wait(), 10)
    assert tunnel.current().streams == {}


async def test_another_page_or_person_opens_no_websocket(preview, bob):
    async with websockets.serve(echo, "127.0.0.1", 0) as server:
        await preview.show(server.sockets[0].getsockname()[1])
        assert await dial(preview, origin="http://127.0.0.1:8000") == (None, 4404)
        assert await dial(preview, cookie=preview.cookie(bob)) == (None, 4404)
        assert preview.targets.asked == []


async def test_a_program_without_websockets_refuses_the_browser(preview):
    async with preview.program(answering(HELLO)):
        assert await dial(preview) == (None, 1014)


async def test_streams_are_given_back(preview):
    async with preview.program(answering(HELLO)):
        for _ in range(40):
            assert (await preview.ask()).status == 200
        await wait_for(lambda: not preview.worker.streams)
    assert tunnel.current().streams == {}
