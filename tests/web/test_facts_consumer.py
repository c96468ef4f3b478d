"""The X-ray's socket: the owner only, the whole document first, then each change once, over a real Redis."""

import asyncio

import pytest
import redis.asyncio as redis
from asgiref.sync import sync_to_async
from channels.routing import URLRouter
from channels.testing import WebsocketCommunicator

from labs import facts_hub, sessions
from labs.consumers import facts
from labs.models import LabSession
from labs.routing import websocket_urlpatterns
from runtime_agent import protocol
from runtime_agent.protocol import facts_codec
from runtime_agent.protocol.facts_codec import FactsFrame

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def session(alice, lesson, asked, told):
    return sessions.start(alice, lesson)


@pytest.fixture
async def agent(redis_server, session):
    agent = Agent(redis_server.url, str(session.id))
    await agent.start()
    yield agent
    await facts_hub.current().close()
    await agent.stop()


class Agent:
    """What the stream is to the site: it hears wishes and publishes frames when the test says so."""

    def __init__(self, url: str, session_id: str):
        self.redis, self.session_id = redis.Redis.from_url(url), session_id
        self.wishes: asyncio.Queue[bytes] = asyncio.Queue()

    async def start(self):
        self.pubsub = self.redis.pubsub()
        await self.pubsub.psubscribe(protocol.FACTS_WISH_PATTERN)
        await self.pubsub.get_message(timeout=2)
        self.task = asyncio.ensure_future(self.listen())

    async def listen(self):
        while True:
            message = await self.pubsub.get_message(timeout=5)
            if message and message["channel"].decode() == protocol.facts_wish_channel(self.session_id):
                self.wishes.put_nowait(message["data"])

    async def heard(self, wish=protocol.FACTS_OPEN):
        """The next wish; that somebody still looks may come between on a slow machine."""
        while (found := await asyncio.wait_for(self.wishes.get(), 20)) == protocol.FACTS_KEEP != wish:
            pass
        assert found == wish

    async def say(self, version, kind=FactsFrame.PATCH, body=b"{}"):
        await self.redis.publish(protocol.facts_channel(self.session_id), facts_codec.encode(version, kind, body))

    async def stop(self):
        self.task.cancel()
        await self.pubsub.aclose()
        await self.redis.aclose()


async def opened(user, session):
    socket = WebsocketCommunicator(URLRouter(websocket_urlpatterns), f"/ws/sessions/{getattr(session, 'id', session)}/facts/")
    socket.scope["user"] = user
    assert (await socket.connect())[0]
    return socket


async def code_of(socket):
    message = await socket.receive_output()
    return message["code"] if message["type"] == "websocket.close" else message


async def version_of(socket):
    return facts_codec.decode(await socket.receive_from())


async def test_bob_ines_and_charlie_see_nothing_of_alices_sandbox(bob, ines, charlie, session):
    for user, code in ((bob, 4404), (ines, 4404), (charlie, 4401)):
        assert await code_of(await opened(user, session)) == code


@pytest.mark.parametrize("name", ["00000000-0000-4000-8000-000000000000", "nonsense", "A" * 36])
async def test_an_id_that_does_not_exist_is_a_strangers(alice, session, name):
    assert await code_of(await opened(alice, name)) == 4404


@pytest.mark.parametrize("state", ["ending", "ended", "failed"])
async def test_a_session_that_is_over_says_so(alice, session, state):
    await LabSession.objects.filter(pk=session.pk).aupdate(state=state)
    assert await code_of(await opened(alice, session)) == 4410


async def test_a_panel_closes_when_its_user_signs_out_in_another_tab(alice, session, agent, client):
    socket = await opened(alice, session)
    await agent.heard()
    await sync_to_async(client.force_login)(alice)
    await sync_to_async(client.logout)()
    assert await code_of(socket) == 4503
    await socket.disconnect()
    assert not facts_hub.current().panels


async def test_the_whole_comes_first_then_each_version_once(alice, session, agent):
    socket = await opened(alice, session)
    await agent.heard()
    await agent.say(6)
    await agent.say(6, FactsFrame.WHOLE)
    await agent.say(6, FactsFrame.WHOLE)
    await agent.say(7)
    await agent.say(7)
    await agent.say(8)
    assert [await version_of(socket) for _ in range(3)] == [(6, FactsFrame.WHOLE), (7, FactsFrame.PATCH), (8, FactsFrame.PATCH)]
    assert await socket.receive_nothing()
    await socket.disconnect()


async def test_the_past_comes_once_and_does_not_count_as_a_version(alice, session, agent):
    socket = await opened(alice, session)
    await agent.heard()
    await agent.say(6, FactsFrame.HISTORY, b'{"now":1,"frames":[]}')
    await agent.say(6, FactsFrame.WHOLE)
    await agent.say(6, FactsFrame.HISTORY, b'{"now":2,"frames":[]}')
    await agent.say(7)
    assert [await version_of(socket) for _ in range(3)] == [(6, FactsFrame.HISTORY), (6, FactsFrame.WHOLE), (7, FactsFrame.PATCH)]
    assert await socket.receive_nothing()
    await socket.disconnect()


async def test_a_gap_asks_for_the_whole_and_is_never_patched_over(alice, session, agent):
    socket = await opened(alice, session)
    await agent.heard()
    await agent.say(1, FactsFrame.WHOLE)
    await agent.say(3)
    await agent.heard()
    await agent.say(3, FactsFrame.WHOLE)
    assert [await version_of(socket) for _ in range(2)] == [(1, FactsFrame.WHOLE), (3, FactsFrame.WHOLE)]
    await socket.disconnect()


class Closing(Exception):
    """What autobahn raises for a frame to a page that has sent its close and is not gone yet."""


async def test_a_page_that_is_just_closing_does_not_blind_the_others(alice, session, agent):
    socket = await opened(alice, session)
    await agent.heard()
    await agent.say(1, FactsFrame.WHOLE)
    assert await version_of(socket) == (1, FactsFrame.WHOLE)

    async def refuse(frame):
        raise Closing

    [panels] = facts_hub.current().panels.values()
    gone = facts_hub.Panel(str(session.id), refuse)
    await facts_hub.current().join(gone)
    await agent.heard()
    await agent.say(2)
    await agent.say(2, FactsFrame.WHOLE)
    await agent.say(3)
    assert [await version_of(socket) for _ in range(2)] == [(2, FactsFrame.PATCH), (3, FactsFrame.PATCH)]
    assert gone not in panels
    await socket.disconnect()


async def test_what_nobody_has_thought_of_does_not_blind_the_panels_for_good(alice, session, agent, monkeypatch):
    socket = await opened(alice, session)
    await agent.heard()
    decode = facts_codec.decode
    broken = [True]

    def once(frame):
        if broken:
            raise Closing(broken.pop())
        return decode(frame)

    monkeypatch.setattr(facts_codec, "decode", once)
    await agent.say(1, FactsFrame.WHOLE)
    await agent.heard()  # it subscribes again and asks
    await agent.say(1, FactsFrame.WHOLE)
    assert await version_of(socket) == (1, FactsFrame.WHOLE)
    await socket.disconnect()


async def test_a_second_panel_gets_the_whole_and_the_first_does_not_get_it_again(alice, session, agent):
    first = await opened(alice, session)
    await agent.heard()
    await agent.say(5, FactsFrame.WHOLE)
    assert await version_of(first) == (5, FactsFrame.WHOLE)
    second = await opened(alice, session)
    await agent.heard()
    await agent.say(5, FactsFrame.WHOLE)
    assert await version_of(second) == (5, FactsFrame.WHOLE)
    assert await first.receive_nothing()
    for socket in (first, second):
        await socket.disconnect()


async def test_a_remark_changes_no_version(alice, session, agent):
    socket = await opened(alice, session)
    await agent.heard()
    await agent.say(1, FactsFrame.WHOLE)
    await agent.say(1, FactsFrame.REMARK, b'{"refused": "no"}')
    await agent.say(2)
    assert [(await version_of(socket))[0] for _ in range(3)] == [1, 1, 2]
    await socket.disconnect()


async def test_an_agent_that_starts_anew_is_asked_at_once(alice, session, agent):
    socket = await opened(alice, session)
    await agent.heard()
    await agent.redis.publish(protocol.FACTS_HELLO_CHANNEL, "here")
    await agent.heard()
    await socket.disconnect()


async def test_an_open_panel_is_told_on_and_on_and_a_closed_one_no_more(alice, session, agent, monkeypatch):
    monkeypatch.setattr(facts_hub, "KEEP_SECONDS", 0.05)
    socket = await opened(alice, session)
    await agent.heard()
    await agent.heard(protocol.FACTS_KEEP)
    await agent.heard(protocol.FACTS_KEEP)
    await socket.disconnect()
    await asyncio.sleep(0.1)
    while not agent.wishes.empty():
        agent.wishes.get_nowait()
    await asyncio.sleep(0.2)
    assert agent.wishes.empty()


async def test_a_page_that_says_nothing_or_something_else_is_closed(alice, session, agent, monkeypatch):
    socket = await opened(alice, session)
    await socket.send_to(text_data="here")
    await socket.send_to(text_data="{}")
    assert await code_of(socket) == 4400
    monkeypatch.setattr(facts, "SILENCE_SECONDS", 0.1)
    assert await code_of(await opened(alice, session)) == 4503


async def test_a_broken_frame_reaches_no_page(alice, session, agent):
    socket = await opened(alice, session)
    await agent.heard()
    for frame in (b"", b"x", b"\0" * 8 + b"\x09{}"):
        await agent.redis.publish(protocol.facts_channel(agent.session_id), frame)
    await agent.say(1, FactsFrame.WHOLE)
    assert await version_of(socket) == (1, FactsFrame.WHOLE)
    await socket.disconnect()
