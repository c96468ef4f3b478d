"""The way from Daphne to a view: which thread a request gets, and whose connection to the database it finds there."""

import asyncio
import threading

import pytest
from asgiref.sync import sync_to_async
from django.db import connection, connections
from django.http import HttpResponse

from labsite import handler
from tests.instance import PATIENCE

pytestmark = pytest.mark.django_db(transaction=True)


class Site(handler.OneHopHandler):
    """With a view of the test's behind it."""

    def __init__(self, view):
        super().__init__()
        self._middleware_chain = sync_to_async(view, thread_sensitive=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for thread in self.idle:
            thread.submit(connections.close_all)
            thread.shutdown()


async def until(is_so) -> None:
    async with asyncio.timeout(20 * PATIENCE):
        while not is_so():
            await asyncio.sleep(0.01)


async def ask(site, path="/") -> list[dict]:
    scope = {"type": "http", "http_version": "1.1", "method": "GET", "path": path, "raw_path": path.encode(),
             "query_string": b"", "root_path": "", "headers": [(b"host", b"127.0.0.1")]}
    asked, sent = asyncio.Event(), []

    async def receive():
        if asked.is_set():
            await asyncio.Event().wait()
        asked.set()
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)
    await site(scope, receive, send)
    return sent


def test_one_after_the_other_shares_a_thread_and_its_open_connection(monkeypatch):
    monkeypatch.setitem(connections.settings["default"], "CONN_MAX_AGE", 60)
    seen = []

    def view(request):
        connection.ensure_connection()
        seen.append((threading.get_ident(), connection.connection))
        return HttpResponse("yes")

    async def twice():
        with Site(view) as site:
            first = await ask(site)
            await until(lambda: site.idle)
            return [first[0]["status"], (await ask(site))[0]["status"]]
    assert asyncio.run(twice()) == [200, 200]
    assert seen[0] == seen[1]
    assert seen[0][0] != threading.get_ident()


def test_at_the_same_time_each_has_a_thread_and_whoever_is_too_many_waits(monkeypatch):
    monkeypatch.setattr(handler, "MOST_THREADS", 3)
    three_are_there, at_work, most, seen = threading.Barrier(3), set(), [], set()

    def view(request):
        at_work.add(request.path)
        most.append(len(at_work))
        seen.add(threading.get_ident())
        three_are_there.wait(20)
        at_work.remove(request.path)
        return HttpResponse("yes")

    async def together():
        with Site(view) as site:
            answers = await asyncio.gather(*[ask(site, f"/{number}") for number in range(9)])
            await until(lambda: len(site.idle) == 3)
            return [answer[0]["status"] for answer in answers]
    assert asyncio.run(together()) == [200] * 9
    assert max(most) == len(seen) == 3


def test_who_gives_up_while_waiting_takes_no_turn(monkeypatch):
    monkeypatch.setattr(handler, "MOST_THREADS", 1)
    begun, may_end, seen = threading.Event(), threading.Event(), []

    def view(request):
        seen.append(request.path)
        begun.set()
        may_end.wait(20)
        return HttpResponse("yes")

    async def impatient():
        with Site(view) as site:
            first = asyncio.create_task(ask(site, "/first"))
            await until(begun.is_set)
            second, third = (asyncio.create_task(ask(site, path)) for path in ("/second", "/third"))
            await asyncio.sleep(0)
            second.cancel()
            may_end.set()
            return [(await one)[0]["status"] for one in (first, third)]
    assert asyncio.run(impatient()) == [200, 200]
    assert seen == ["/first", "/third"]


def test_a_thread_comes_back_from_an_accident():
    def view(request):
        raise ValueError("an accident")

    async def unlucky():
        with Site(view) as site:
            with pytest.raises(ValueError, match="an accident"):
                await ask(site)
            await until(lambda: site.idle)
    asyncio.run(unlucky())


def test_a_thread_is_nobody_elses_while_the_view_of_a_request_that_was_ended_works_on():
    """As Daphne ends one whose reader has gone. Without that, Django itself waits for the view."""
    begun, may_end, seen = threading.Event(), threading.Event(), []

    def view(request):
        seen.append(threading.get_ident())
        if len(seen) == 1:
            begun.set()
            may_end.wait(20)
        return HttpResponse("yes")

    async def impatient():
        with Site(view) as site:
            first = asyncio.create_task(ask(site))
            await until(begun.is_set)
            first.cancel()
            with pytest.raises(asyncio.CancelledError):
                await first
            second = await asyncio.wait_for(ask(site), 10 * PATIENCE)
            may_end.set()
            await until(lambda: len(site.idle) == 2)
            return second[0]["status"]
    assert asyncio.run(impatient()) == 200
    assert seen[0] != seen[1]
