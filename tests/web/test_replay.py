"""Recorded terminals on the site: from the worker's disk through the tunnel to their owner, and to nobody else."""

import json
from datetime import timedelta
from types import SimpleNamespace
from uuid import uuid4

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone

from labs import sessions
from labs.models import Event, LabSession
from labs.previews import tunnel
from runtime_agent import recording
from tests.web.preview_stage import HOST, stage

pytestmark = pytest.mark.django_db(transaction=True)
BEGUN = 1_700_000_000_000
NAME = f"0-{BEGUN:013}"
LINES = [{"version": 2, "width": 80, "height": 24, "title": "box"}, [0.5, "o", "\x1b]133;A\x07$ \x1b]133;B\x07"],
         [3.0, "o", "ls\r\n\x1b]133;C\x07file <b>\r\n\x1b]133;D;0\x07"], [90.0, "o", "end\r\n"]]
PAGES = ["", f"{NAME}.cast", f"{NAME}/", f"{NAME}.txt"]


@pytest.fixture
async def worker(redis_server, alice, lesson, asked, tmp_path):
    """A worker that has one recording of Alice's session."""
    session = await sync_to_async(sessions.start)(alice, lesson)
    await LabSession.objects.filter(pk=session.pk).aupdate(state="ready", host=HOST)
    settings = SimpleNamespace(host=HOST, redis_url=redis_server.url, state_dir=tmp_path)
    recording.begin(settings, str(session.id))
    file = recording.folder_of(settings, str(session.id)) / f"{NAME}.cast"
    file.write_text("".join(json.dumps(line) + "\n" for line in LINES))
    async with stage(redis_server.url, session) as made:
        made.worker.settings = settings
        made.file, made.url = file, f"/sessions/{session.id}/replay/"
        yield made


async def ask(client, worker, page, user=None):
    if user:
        await sync_to_async(client.force_login)(user)
    return await client.get(worker.url + page)


async def test_alice_finds_the_list_with_a_player(async_client, alice, worker):
    answer = await ask(async_client, worker, "", alice)
    html = answer.content.decode()
    assert answer.status_code == 200
    assert f'data-film="{worker.url}{NAME}.cast"' in html
    assert "'wasm-unsafe-eval'" in answer.headers["Content-Security-Policy"]
    assert "unsafe-inline" not in answer.headers["Content-Security-Policy"]
    assert "no-store" in answer.headers["Cache-Control"]


async def test_the_policy_is_wider_on_that_page_only(async_client, alice, worker):
    for page in ("/", f"{worker.url}{NAME}/"):
        await sync_to_async(async_client.force_login)(alice)
        assert "wasm" not in (await async_client.get(page)).headers["Content-Security-Policy"]


@pytest.mark.parametrize("page", PAGES)
async def test_bob_and_ines_find_nothing_and_charlie_is_sent_to_sign_in(async_client, bob, ines, worker, page):
    assert (await ask(async_client, worker, page)).status_code == 302
    for stranger in (bob, ines):
        assert (await ask(async_client, worker, page, stranger)).status_code == 404


async def test_the_file_has_the_tasks_as_markers(async_client, alice, worker):
    at = timezone.datetime.fromtimestamp(BEGUN / 1000, tz=timezone.get_current_timezone())
    for seq, (task, seconds) in enumerate([("look", 3.5), ("look", 20), ("leap", 500), ("gone", 4)]):
        await Event.objects.acreate(event_id=uuid4(), session=worker.session, generation=0, seq=seq, kind="task_passed",
                                    at=at + timedelta(seconds=seconds), payload={"task": task})
    answer = await ask(async_client, worker, f"{NAME}.cast", alice)
    header, *events = map(json.loads, answer.content.decode().splitlines())
    assert header["width"] == 80
    assert [event for event in events if event[1] == "m"] == [[3.5, "m", "one: Look"]]
    assert [event[0] for event in events] == [0.5, 3.0, 3.5, 90.0]
    assert "attachment" in answer.headers["Content-Disposition"]


async def test_the_transcript_is_a_page_with_headings_and_a_file(async_client, alice, worker):
    html = (await ask(async_client, worker, f"{NAME}/", alice)).content.decode()
    assert "<h2><code>ls</code>" in html
    assert "file &lt;b&gt;\nend" in html
    text = (await ask(async_client, worker, f"{NAME}.txt", alice)).content.decode()
    assert text == "$ ls\nfile <b>\nend\n"


@pytest.mark.parametrize("name", [f"1-{BEGUN}", f"7-{BEGUN + 1}", "8-1700000000000", "0-17", "..%2f..%2fx"])
@pytest.mark.parametrize("ending", ["/", ".cast", ".txt"])
async def test_what_is_not_there_is_not_found(async_client, alice, worker, name, ending):
    assert (await ask(async_client, worker, name + ending, alice)).status_code == 404


async def test_a_worker_that_is_away_is_said_so(async_client, alice, worker):
    await worker.kill_worker()
    for page, status in zip(PAGES, (503, 503, 503, 503), strict=True):
        answer = await ask(async_client, worker, page, alice)
        assert answer.status_code == status
    await worker.start_worker()
    worker.worker.settings.state_dir = worker.file.parents[3]
    assert (await ask(async_client, worker, "", alice)).status_code == 200


async def test_what_a_worker_sends_is_parsed_with_care(async_client, alice, worker):
    worker.file.write_text(json.dumps(LINES[0]) + '\nnonsense\n[1]\n["x", "o", "y"]\n[1, "i", "secret"]\n[2, "o", "kept"]\n[3, "o", "cut of')
    text = (await ask(async_client, worker, f"{NAME}.txt", alice)).content.decode()
    assert text == "kept\n"
    worker.file.write_text("no header\n")
    assert (await ask(async_client, worker, f"{NAME}.cast", alice)).status_code == 404


async def test_four_megabytes_come_whole(worker):
    worker.file.write_bytes(body := bytes(range(256)) * 16384)
    assert await tunnel.current().fetch(HOST, str(worker.session.id), f"{NAME}.cast") == body
    assert tunnel.current().streams == {}


async def test_without_recordings_the_page_says_why(async_client, alice, worker):
    worker.file.unlink()
    assert "is recorded while the sandbox runs" in (await ask(async_client, worker, "", alice)).content.decode()
    lab = {**worker.session.lab, "recording": False}
    await LabSession.objects.aupdate(lab=lab)
    assert "does not record" in (await ask(async_client, worker, "", alice)).content.decode()


def test_the_page_says_before_the_start_what_is_recorded(as_alice, lesson, hosts):
    assert "never your keys" in as_alice.get(lesson.get_absolute_url()).content.decode()
    lesson.lab = {**lesson.lab, "recording": False}
    lesson.save()
    html = as_alice.get(lesson.get_absolute_url()).content.decode()
    assert "does not record terminals" in html
    assert "never your keys" not in html
    assert "data-term-replay" not in html
