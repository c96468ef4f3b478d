"""The terminal's socket: who gets in, what is refused with which code, and every byte once, over a real Redis."""

import asyncio
import uuid

import pytest
from asgiref.sync import sync_to_async

from labs import sessions, terminal_hub
from labs.consumers import terminal
from labs.models import LabSession
from runtime_agent import protocol
from runtime_agent.protocol import terminal_codec
from runtime_agent.protocol.terminal_codec import Frame
from tests.web.bridge_double import Bridge, Page, until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def session(alice, lesson, asked, told):
    return sessions.start(alice, lesson)


@pytest.fixture
async def bridge(redis_server, session):
    bridge = Bridge(redis_server.url, f"{session.id}.0")
    await bridge.start()
    yield bridge
    await terminal_hub.current().close()
    await bridge.stop()


def path(session, number=0):
    return f"/ws/sessions/{getattr(session, 'id', session)}/terminals/{number}/"


async def opened(user, session):
    return await Page(user, path(session)).open()


# --- who gets in ------------------------------------------------------------------------------------------


async def test_bob_learns_nothing_of_alices_session(bob, session):
    assert await (await opened(bob, session)).close_code() == 4404


async def test_ines_is_a_stranger_too_as_long_as_nobody_let_her_in(ines, session):
    assert await (await opened(ines, session)).close_code() == 4404


async def test_charlie_is_signed_out(charlie, session):
    assert await (await opened(charlie, session)).close_code() == 4401


@pytest.mark.parametrize("name", ["00000000-0000-4000-8000-000000000000", "no-uuid", "A" * 36, "..", "0" * 5000])
async def test_an_id_that_does_not_exist_is_a_strangers(alice, session, name):
    assert await (await opened(alice, name)).close_code() == 4404


@pytest.mark.parametrize("number", [8, 9, 10**9])
async def test_a_terminal_beyond_the_last_does_not_exist(alice, session, number):
    page = await Page(alice, path(session, number)).open()
    assert await page.close_code() == 4404


@pytest.mark.parametrize("state", ["ending", "ended", "failed"])
async def test_a_session_that_is_over_says_so(alice, session, state):
    await LabSession.objects.filter(pk=session.pk).aupdate(state=state)
    assert await (await opened(alice, session)).close_code() == 4410


async def test_who_signs_out_types_nothing_more_in_a_tab_that_stays_open(alice, bob, session, bridge, client):
    page, held = await opened(alice, session), terminal_codec.encode(Frame.INPUT, 0, data=b"rm -r work")
    await page.hello()
    assert (await page.next())[0] is Frame.WELCOME
    await sync_to_async(client.force_login)(bob)
    await sync_to_async(client.logout)()
    await page.put(terminal_codec.encode(Frame.PING, 5))
    assert (await page.next())[0] is Frame.PONG, "that was somebody else"
    await sync_to_async(client.force_login)(alice)
    await sync_to_async(client.logout)()
    assert await page.close_code() == 4503, "a page that is still signed in comes back, this one is refused then"
    await page.put(held)
    await page.leave()
    await until(lambda: bridge.of(Frame.BYE), "the goodbye")
    assert not bridge.of(Frame.INPUT)


# --- what is refused --------------------------------------------------------------------------------------

HELLO = terminal_codec.encode(Frame.HELLO, 1, 0, 7, terminal_codec.FROM_RING_START, 24, 80)
BAD = {
    "nothing": (b"", 4400, "empty"),
    "unknown": (b"\x7f1234", 4400, "unknown-type"),
    "of the bridge": (terminal_codec.encode(Frame.OUTPUT, 0, data=b"x"), 4400, "wrong-way"),
    "of the consumer": (terminal_codec.encode(Frame.BYE), 4400, "wrong-way"),
    "a ping before the greeting": (terminal_codec.encode(Frame.PING, 1), 4400, "before-hello"),
    "a pong": (terminal_codec.encode(Frame.PONG, 1), 4400, "wrong-way"),
    "notice": (terminal_codec.encode(Frame.NOTICE, data=b"{}"), 4400, "wrong-way"),
    "hello - 1": (HELLO[:-1], 4400, "wrong-length"),
    "hello + 1": (HELLO + b"x", 4400, "wrong-length"),
    "another version": (terminal_codec.encode(Frame.HELLO, 2, 0, 7, 0, 24, 80), 4400, "version"),
    "input before hello": (terminal_codec.encode(Frame.INPUT, 0, data=b"x"), 4400, "before-hello"),
    "input + 1": (terminal_codec.encode(Frame.INPUT, 0, data=b"x" * (terminal_codec.MAX_INPUT_BYTES + 1)), 4413, "too-large"),
    "frame + 1": (b"\x02" + b"x" * terminal_codec.MAX_BROWSER_FRAME_BYTES, 4413, "too-large"),
}


def count_of(reason):
    return terminal.refused.labels(reason)._value.get()


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_frame_closes_with_its_code_and_is_logged_and_counted(alice, session, name, caplog):
    frame, code, reason = BAD[name]
    before = count_of(reason)
    page = await opened(alice, session)
    await page.put(frame)
    assert await page.close_code() == code
    assert count_of(reason) == before + 1
    assert f"reason={reason}" in caplog.text and str(session.id) in caplog.text


async def test_text_is_refused(alice, session):
    page = await opened(alice, session)
    await page.socket.send_to(text_data="ls\n")
    assert await page.close_code() == 4400


async def test_who_does_not_greet_is_closed(alice, session, monkeypatch):
    monkeypatch.setattr(terminal, "HELLO_SECONDS", 0.05)
    assert await (await opened(alice, session)).close_code() == 4400


@pytest.mark.parametrize("length", [terminal_codec.MAX_INPUT_BYTES - 1, terminal_codec.MAX_INPUT_BYTES])
async def test_input_up_to_the_limit_arrives(alice, session, bridge, length):
    page = await opened(alice, session)
    await page.hello()
    await page.next()
    await page.put(terminal_codec.encode(Frame.INPUT, 0, data=b"x" * length))
    assert len((await until(lambda: bridge.of(Frame.INPUT), "input"))[0][2]) == length
    await page.leave()


# --- the way of the bytes ---------------------------------------------------------------------------------


async def test_keys_keep_their_order_and_goodbye_is_said(alice, session, bridge):
    page = await opened(alice, session)
    await page.hello()
    assert (await page.next())[0] is Frame.WELCOME
    for at in range(200):
        await page.put(terminal_codec.encode(Frame.INPUT, at, data=b"k"))
    await until(lambda: len(bridge.of(Frame.INPUT)) == 200, "200 keys")
    assert [fields[0] for _, fields, _ in bridge.of(Frame.INPUT)] == list(range(200))
    await page.leave()
    await until(lambda: bridge.of(Frame.BYE), "BYE")


async def test_lost_output_is_asked_for_and_comes_once(alice, session, bridge):
    page = await opened(alice, session)
    await page.hello()
    await page.next()
    await bridge.prints(b"one ")
    await bridge.prints(b"two ", is_lost=True)
    await bridge.prints(b"three ")
    assert await page.text(14) == b"one two three "
    assert [fields[3] for _, fields, _ in bridge.of(Frame.HELLO)] == [terminal_codec.FROM_RING_START, 4]
    await page.leave()


async def test_two_pages_of_one_terminal_each_get_all_and_only_their_own_answers(alice, session, bridge):
    first, second = await opened(alice, session), await opened(alice, session)
    await first.hello(client=1)
    assert (await first.next())[0] is Frame.WELCOME
    await bridge.prints(b"before ")
    await second.hello(client=2)
    assert (await second.next())[0] is Frame.WELCOME
    await bridge.prints(b"after ")
    assert await first.text(13) == await second.text(13) == b"before after "
    await first.leave()
    await bridge.prints(b"still ")
    assert await second.text(6) == b"still "
    await second.leave()


async def test_a_ping_is_answered_by_the_site_alone(alice, session, bridge):
    page = await opened(alice, session)
    await page.hello()
    await page.next()
    await page.put(terminal_codec.encode(Frame.PING, 9))
    assert await page.next() == (Frame.PONG, (9,), b"")
    assert bridge.of(Frame.PING) == []
    await page.leave()


async def test_a_page_that_came_back_is_not_said_to_have_left_when_its_dead_socket_ends(alice, session, bridge):
    dead, alive = await opened(alice, session), await opened(alice, session)
    for page in (dead, alive):
        await page.hello(client=7)
        await page.next()
    await dead.leave()
    await alive.put(terminal_codec.encode(Frame.INPUT, 0, data=b"x"))
    await until(lambda: bridge.of(Frame.INPUT), "the key")
    assert bridge.of(Frame.BYE) == []
    await alive.leave()
    await until(lambda: bridge.of(Frame.BYE), "the word that it left")


async def test_a_viewers_id_is_bound_to_its_user():
    ids = set()
    for pk, client, is_watching in ((1, 7, False), (2, 7, False), (1, 8, False), (1, 7, True)):
        consumer = terminal.TerminalConsumer({"user": type("User", (), {"pk": pk})}, send=None)
        consumer.is_watching = is_watching
        ids.add(consumer._viewer_id(client))
    assert len(ids) == 4


async def test_who_watches_is_heard_no_more_after_the_greeting(alice, session, bridge):
    page = await opened(alice, session)
    await page.hello(flags=terminal_codec.READ_ONLY)
    await page.next()
    for frame in (terminal_codec.encode(Frame.INPUT, 0, data=b"rm -rf /"), terminal_codec.encode(Frame.RESIZE, 1, 1),
                  terminal_codec.encode(Frame.ACK, 0)):
        await page.put(frame)
    await page.hello(flags=0)  # a page can't talk itself out of watching
    hellos = await until(lambda: len(bridge.of(Frame.HELLO)) == 2 and bridge.of(Frame.HELLO), "a second greeting")
    assert [fields[1] for _, fields, _ in hellos] == [terminal_codec.READ_ONLY] * 2
    assert {kind for _, kind, _, _ in bridge.heard} == {Frame.HELLO}
    await page.leave()


async def test_a_new_bridge_is_greeted_from_the_next_byte(alice, session, bridge):
    page = await opened(alice, session)
    await page.hello()
    await page.next()
    await bridge.prints(b"seen ")
    assert await page.text(5) == b"seen "
    await bridge.prints(b"missed ", is_lost=True)
    await bridge.client.publish(protocol.BRIDGE_HELLO_CHANNEL, "h1")
    assert await page.text(7) == b"missed "
    assert bridge.of(Frame.HELLO)[-1][1][3] == 5
    await page.leave()


async def test_a_page_that_came_before_its_terminal_greets_when_that_is_open(alice, session, bridge):
    bridge.answers = False
    page = await opened(alice, session)
    await page.hello()
    await until(lambda: bridge.of(Frame.HELLO), "a greeting that nobody answers")
    bridge.answers, bridge.text = True, b"$ "
    await bridge.client.publish(protocol.BRIDGE_HELLO_CHANNEL, f"{uuid.uuid4()}.0")  # somebody else's
    await bridge.client.publish(protocol.BRIDGE_HELLO_CHANNEL, bridge.terminal_id)
    assert await page.text(2) == b"$ "
    assert len(bridge.of(Frame.HELLO)) == 2
    await page.leave()


async def test_a_new_bridge_is_told_the_size_that_the_page_has_now(alice, session, bridge):
    page = await opened(alice, session)
    await page.hello()
    await page.next()
    await page.put(terminal_codec.encode(Frame.RESIZE, 33, 77))
    await until(lambda: bridge.of(Frame.RESIZE), "RESIZE")
    await bridge.client.publish(protocol.BRIDGE_HELLO_CHANNEL, "h1")
    await until(lambda: len(bridge.of(Frame.HELLO)) == 2, "a second greeting")
    assert bridge.of(Frame.HELLO)[-1][1][4:] == (33, 77)
    await page.leave()


async def test_a_socket_that_takes_nothing_is_closed_at_a_bound(alice, session, bridge, monkeypatch):
    monkeypatch.setattr(terminal, "MAX_OUTBOX_BYTES", 1000)
    stuck = asyncio.Event()

    async def never(self):
        await stuck.wait()
    monkeypatch.setattr(terminal.TerminalConsumer, "_write", never)
    page = await opened(alice, session)
    await page.hello()
    await until(lambda: bridge.of(Frame.HELLO), "HELLO")
    for _ in range(4):
        await bridge.prints(b"x" * 400)
    assert await page.close_code() == 4503
    await page.leave()


async def test_redis_may_die_and_come_back_under_an_open_page(alice, session, tmp_path, settings, request):
    server = request.getfixturevalue("shared_redis").__class__(tmp_path)
    await sync_to_async(server.start)()
    settings.REDIS_URL = server.url
    first = Bridge(server.url, f"{session.id}.0")
    await first.start()
    page = await opened(alice, session)
    await page.hello()
    await first.prints(b"before ")
    assert await page.text(7) == b"before "
    await sync_to_async(server.kill)()
    await first.stop()
    await page.put(terminal_codec.encode(Frame.INPUT, 0, data=b"lost"))
    await sync_to_async(server.start)()
    second = Bridge(server.url, f"{session.id}.0")
    second.text = b"before meanwhile "
    await second.start()
    await second.client.publish(protocol.BRIDGE_HELLO_CHANNEL, "h1")
    assert await page.text(10) == b"meanwhile "
    await page.leave()
    await terminal_hub.current().close()
    await second.stop()
    server.kill()
