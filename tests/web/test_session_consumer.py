"""The notices of a session: who gets them, what they say, and that an open page keeps a session seen."""


import pytest
from asgiref.sync import sync_to_async
from channels.routing import URLRouter
from channels.testing import WebsocketCommunicator
from django.utils import timezone

from labs import notices, sessions
from labs.consumers import notices as consumer
from labs.models import LabSession
from labs.routing import websocket_urlpatterns
from tests.web.bridge_double import until

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


async def test_bob_ines_and_charlie_get_nothing(bob, ines, charlie, session):
    for user, code in ((bob, 4404), (ines, 4404), (charlie, 4401)):
        socket = await opened(user, session.id)
        assert await socket.receive_output() == {"type": "websocket.close", "code": code}


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
    seen = sync_to_async(lambda: LabSession.objects.get(pk=session.pk).seen_at)
    await (await opened(bob, session.id)).receive_output()
    assert await seen() is None
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
