"""The notices of a session: who gets them, what they say, and that an open page keeps a session seen."""

import asyncio
from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer
from channels.routing import URLRouter
from channels.testing import WebsocketCommunicator
from django.utils import timezone

from labs import notices, sessions
from labs.consumers import notices as consumer
from labs.models import LabSession
from labs.routing import websocket_urlpatterns
from tests.web.bridge_double import until
from tests.web.test_sessions import tell

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def session(alice, lesson, asked):
    return sessions.start(alice, lesson)


async def opened(user, session_id):
    socket = WebsocketCommunicator(URLRouter(websocket_urlpatterns), f"/ws/sessions/{session_id}/")
    socket.scope["user"] = user
    assert (await socket.connect())[0]
    return socket


async def test_alice_gets_the_state_with_her_place_and_then_each_change(alice, session):
    socket = await opened(alice, session.id)
    first = await socket.receive_json_from()
    assert (first["type"], first["state"], first["position"]) == ("state", "queued", 1)
    await sync_to_async(notices.send_warning)(session, 5)
    assert await socket.receive_json_from() == {"type": "warning", "minutes": 5}
    await socket.disconnect()


async def test_what_the_page_was_rendered_with_is_what_its_socket_says_until_something_happens(alice, client, lesson, session):
    await sync_to_async(client.force_login)(alice)
    page = (await sync_to_async(client.get)(lesson.get_absolute_url())).content.decode()
    socket = await opened(alice, session.id)
    first = (await socket.receive_json_from())["stand"]
    assert f'data-stand="{first}"' in page
    await sync_to_async(tell)(session, "ready", 1, facts={})
    ready = (await socket.receive_json_from())["stand"]
    await sync_to_async(tell)(session, "task_passed", 2, task="look", saw="it")
    await socket.receive_json_from()
    await socket.disconnect()
    again = await opened(alice, session.id)
    assert len({first, ready, (await again.receive_json_from())["stand"]}) == 3
    await again.disconnect()


async def test_bob_ines_and_charlie_get_nothing(bob, ines, charlie, session):
    for user, code in ((bob, 4404), (ines, 4404), (charlie, 4401)):
        socket = await opened(user, session.id)
        assert await socket.receive_output() == {"type": "websocket.close", "code": code}


async def test_a_stranger_is_told_nothing_not_even_what_is_said_while_they_are_refused(bob, session, monkeypatch):
    ask = vars(consumer.SessionConsumer)["_seen"]

    async def slowly(self):
        await sync_to_async(notices.send_warning)(session, 5)
        return await ask.__get__(self, type(self))()
    monkeypatch.setattr(consumer.SessionConsumer, "_seen", slowly)
    socket = await opened(bob, session.id)
    assert await socket.receive_output() == {"type": "websocket.close", "code": 4404}
    assert await socket.receive_nothing(0.2)


async def test_a_tab_that_stays_open_is_told_nothing_more_once_its_user_has_signed_out(alice, bob, session, client):
    socket = await opened(alice, session.id)
    await socket.receive_json_from()
    await sync_to_async(client.force_login)(bob)
    await sync_to_async(client.logout)()
    assert await socket.receive_nothing(0.1), "that was somebody else"
    await sync_to_async(client.force_login)(alice)
    await sync_to_async(client.logout)()
    assert await socket.receive_output() == {"type": "websocket.close", "code": 4503}
    await socket.disconnect()
    await sync_to_async(notices.send_warning)(session, 5)
    assert await socket.receive_nothing(0.1)


@pytest.mark.parametrize("name", ["00000000-0000-4000-8000-000000000000", "nonsense"])
async def test_an_id_that_does_not_exist_is_a_strangers(alice, name, db):
    assert (await (await opened(alice, name)).receive_output())["code"] == 4404


async def test_a_page_that_talks_is_closed(alice, session):
    socket = await opened(alice, session.id)
    await socket.receive_json_from()
    await socket.send_to(text_data="{}")
    assert (await socket.receive_output())["code"] == 4400


async def test_an_open_page_keeps_the_session_seen_and_bobs_attempt_does_not(alice, bob, session, monkeypatch):
    monkeypatch.setattr(consumer, "SEEN_EVERY_SECONDS", 0.02)
    monkeypatch.setattr(consumer, "SEEN_LATELY", timedelta(milliseconds=10))
    seen = sync_to_async(lambda: LabSession.objects.get(pk=session.pk).seen_at)
    await sync_to_async(tell)(session, "ready", 1, facts={})
    ready_at = await seen()
    await (await opened(bob, session.id)).receive_output()
    assert await seen() == ready_at
    socket = await opened(alice, session.id)
    await socket.receive_json_from()
    opened_at = timezone.now()
    seen_now = []

    async def look():
        seen_now.append(await seen())
    while not (seen_now and seen_now[-1] > opened_at):
        await look()
    await until(lambda: seen_now[-1] > opened_at)
    await socket.disconnect()


async def test_what_was_just_noted_is_not_noted_again(alice, session):
    seen = sync_to_async(lambda: LabSession.objects.get(pk=session.pk).seen_at)
    await (await opened(alice, session.id)).receive_json_from()
    assert await seen() is None
    await sync_to_async(tell)(session, "ready", 1, facts={})
    ready_at = await seen()
    await (await opened(alice, session.id)).receive_json_from()
    assert await seen() == ready_at


@pytest.fixture
def kept_loop(settings, redis_server, monkeypatch):
    """As the worker has it, on the channel layer of the site."""
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": "channels_redis.core.RedisChannelLayer",
                                           "CONFIG": {"hosts": [settings.REDIS_URL], "prefix": "tests", "expiry": 30}}}
    monkeypatch.setattr(notices, "_loop", None)
    notices.keep_a_loop()
    loop = notices._loop
    yield loop
    loop.call_soon_threadsafe(loop.stop)


async def test_the_worker_s_threads_share_a_loop_and_no_notice_is_lost_or_doubled(session, kept_loop):
    layer = get_channel_layer()
    name = await layer.new_channel()
    await layer.group_add(notices.group(session.id), name)
    await asyncio.gather(*(asyncio.to_thread(notices.send_warning, session, minutes) for minutes in range(20)))
    heard = [await layer.receive(name) for _ in range(20)]
    assert sorted(message["notice"]["minutes"] for message in heard) == list(range(20))


def test_a_notice_that_redis_does_not_take_is_logged_and_the_next_one_goes(session, kept_loop, redis_server, caplog):
    notices.send_warning(session, 1)
    redis_server.kill()
    notices.send_warning(session, 2)
    assert "notice lost" in caplog.text
    caplog.clear()
    redis_server.start()
    notices.send_warning(session, 3)
    assert not caplog.text


def test_a_notice_that_takes_too_long_is_given_up(session, kept_loop, monkeypatch, caplog):
    monkeypatch.setattr(notices, "SEND_SECONDS", 0.05)
    monkeypatch.setattr(get_channel_layer(), "group_send", lambda *_: asyncio.sleep(60))
    notices.send_warning(session, 1)
    assert "notice lost" in caplog.text
