"""The lesson's page for its readers, and what they send from it: hints, predictions, quizzes, measurements, starts."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import redis
from django.utils import timezone

from labs import agent_client, lesson_rows, options, sessions
from labs.models import Answer, HintTaken, LabSession, Lesson, Measurement
from runtime_agent import protocol
from runtime_agent.protocol.reasons import REASONS
from tests.web.test_sessions import tell

pytestmark = pytest.mark.django_db(transaction=True)
QUIZ = {"kind": "quiz", "id": "q", "questions": [
    {"id": "one", "kind": "single", "prompt_html": "<p>Which?</p>", "feedback_html": "", "options": [
        {"id": "o0", "html": "this", "correct": True, "feedback_html": "<p>Yes.</p>"},
        {"id": "o1", "html": "that", "correct": False, "feedback_html": "<p>That is another.</p>"}]},
    {"id": "two", "kind": "order", "prompt_html": "<p>Order?</p>", "feedback_html": "", "options": [
        {"id": f"o{place}", "html": f"line {place}", "correct": False, "feedback_html": ""} for place in range(3)]}]}
BLOCKS = [
    {"kind": "html", "html": "<p>Words to read.</p>"},
    {"kind": "task", "task": "look"},
    {"kind": "hint", "id": "one-1", "number": 1, "html": "<p>Open your eyes.</p>"},
    {"kind": "predict", "id": "guess", "kind_of": "number", "question_html": "<p>How many?</p>", "options": [],
     "answer": "42", "tolerance": None, "unit": "", "explain_html": "<p>Because of the mice.</p>"},
    {"kind": "measure", "id": "boot", "unit": "ms", "label": "", "html": "<p>How long?</p>"},
    QUIZ,
    {"kind": "when", "condition": {"cgroup": "1"}, "blocks": [{"kind": "html", "html": "<p>For version one.</p>"}]},
    {"kind": "when", "condition": {"cgroup": "2"}, "blocks": [{"kind": "html", "html": "<p>For version two.</p>"}]}]


@pytest.fixture
def lesson(lesson):
    lesson.document = {"steps": [{"id": "one", "title": "Step one", "blocks": BLOCKS}]}
    lesson.save()
    return lesson


def page(client, lesson) -> str:
    return client.get(lesson.get_absolute_url()).content.decode()


def send(client, lesson, where: str, **fields):
    return client.post(f"{lesson.get_absolute_url()}{where}/", fields)


def test_charlie_reads_and_is_asked_to_sign_in(client, lesson, hosts):
    html = page(client, lesson)
    assert "Words to read." in html
    assert "Sign in to start your own sandbox" in html
    assert "data-start" not in html


@pytest.mark.parametrize("state", ["queued", "ready", "ended"])
def test_the_sandboxs_part_of_a_page_says_what_the_page_says_and_leaves_the_text(as_alice, alice, lesson, hosts, asked, state):
    session = sessions.start(alice, lesson)
    if state != "queued":
        tell(session, "ready", 1, facts={}, terminals=[{"number": 0, "machine": "box"}])
    if state == "ended":
        sessions.throw_away(session.pk)
        tell(session, "removed", 2, kept=False)
    part = as_alice.get(lesson.get_absolute_url(), {"part": "sandbox"}).content.decode()
    whole = page(as_alice, lesson)
    wanted = {"session-tools", "session-reach", "session-state", "tools-one"}
    assert {name for name in wanted if f'id="{name}"' in part} == wanted
    assert "Words to read." in whole and "Words to read." not in part
    tokens = re.compile(r'name="csrfmiddlewaretoken" value="\w+"')
    known = {tokens.sub("", line).strip() for line in whole.splitlines()}
    assert [line for line in tokens.sub("", part).splitlines() if line.strip() not in known] == []
    assert len(part) < len(whole) / 4


def click(client, lesson, **fields) -> str:
    """As the page's script sends the button: what it reads, and where that came from."""
    answer = client.post(f"{lesson.get_absolute_url()}sessions/", fields, headers={"X-Requested-With": "fetch"}, follow=True)
    return answer.content.decode()


def test_a_first_click_is_answered_with_the_sandboxs_part_and_a_later_one_with_the_page(as_alice, alice, lesson, hosts, asked):
    first = click(as_alice, lesson)
    assert 'data-state="queued"' in first and "data-messages" in first
    assert "Words to read." not in first
    sessions.end(LabSession.objects.get(user=alice).pk)
    again = click(as_alice, lesson)
    assert 'data-state="queued"' in again and "Words to read." in again  # the tasks are open again


def test_a_first_click_that_is_refused_says_why(as_alice, lesson, hosts, asked, settings):
    settings.SESSIONS_MAXIMUM = 0
    refused = click(as_alice, lesson)
    assert 'data-state="none"' in refused and "as many sandboxes running as you may" in refused
    assert "as many sandboxes running as you may" not in page(as_alice, lesson)


def test_without_a_worker_the_page_says_so_and_stays_readable(as_alice, lesson, hosts):
    hosts.clear()
    html = page(as_alice, lesson)
    assert "No worker on this machine" in html
    assert "Words to read." in html


def test_the_reader_sees_what_is_true_on_the_worker(as_alice, lesson, hosts):
    assert "For version two." in page(as_alice, lesson)
    assert "For version one." not in page(as_alice, lesson)


@pytest.mark.parametrize("where", ["sessions", "hints/one-1", "answers/q", "answers/guess", "measurements/boot"])
def test_charlie_can_send_nothing(client, lesson, asked, where):
    answer = send(client, lesson, where, answer="1", value="1")
    assert answer.status_code == 302
    assert "/accounts/login/" in answer.url
    assert not any(model.objects.exists() for model in (LabSession, HintTaken, Answer, Measurement))


@pytest.mark.parametrize("where", ["hints/guess", "hints/none", "answers/one-1", "answers/boot", "measurements/q"])
def test_a_block_that_is_not_there_is_not_found(as_alice, lesson, hosts, where):
    assert send(as_alice, lesson, where, answer="1", value="1").status_code == 404


def test_a_hint_is_shown_only_when_taken_and_that_is_recorded_once(as_alice, alice, lesson, hosts):
    assert "Open your eyes." not in page(as_alice, lesson)
    for _ in range(2):
        send(as_alice, lesson, "hints/one-1")
    assert "Open your eyes." in page(as_alice, lesson)
    assert HintTaken.objects.filter(user=alice).count() == 1


def test_a_prediction_is_kept_as_first_given(as_alice, lesson, hosts):
    assert "Because of the mice." not in page(as_alice, lesson)
    send(as_alice, lesson, "answers/guess", answer="41")
    send(as_alice, lesson, "answers/guess", answer="42")
    assert (Answer.objects.get().given, Answer.objects.get().correct) == ("41", False)
    assert "Because of the mice." in page(as_alice, lesson)


def test_an_answer_with_what_no_database_stores_is_no_accident(as_alice, lesson, hosts):
    """PostgreSQL refuses NUL; a browser never sends it."""
    for block, name in (("guess", "answer"), ("q", "q.one"), ("q", "q.two.o0")):
        assert send(as_alice, lesson, f"answers/{block}", **{name: "o\x000"}).status_code == 302
    assert "\x00" not in page(as_alice, lesson)
    assert as_alice.get("/search/", {"q": "a\x00b"}).status_code == 200
    assert send(as_alice, lesson, "sessions", resume="\x00").status_code in (302, 404)


def test_a_quiz_gives_nothing_away_before_it_is_answered(as_alice, lesson, hosts):
    html = page(as_alice, lesson)
    assert "Yes." not in html
    assert "That is another." not in html
    assert not html.index("line 0") < html.index("line 1") < html.index("line 2"), "the right order is not the shown one"


def test_a_quiz_answers_each_question_and_may_be_tried_again(as_alice, alice, lesson, hosts):
    one, two = (options.names(asked["options"], options.key_of(alice, lesson, "q", asked["id"])) for asked in QUIZ["questions"])
    lines = [f"two.{two[line]}" for line in ("o0", "o1", "o2")]
    wrong = {"one": one["o1"], **dict(zip(lines, "321", strict=True))}
    right = {"one": one["o0"], **dict(zip(lines, "123", strict=True))}
    send(as_alice, lesson, "answers/q", **wrong)
    assert "That is another." in page(as_alice, lesson)
    assert not Answer.objects.get().correct
    send(as_alice, lesson, "answers/q", **right)
    assert Answer.objects.get().correct


@pytest.mark.parametrize(("given", "kept"), [("12.5", 12.5), ("12,5", 12.5), (" 3 ", 3.0)])
def test_a_measurement_is_kept(as_alice, lesson, hosts, given, kept):
    send(as_alice, lesson, "measurements/boot", value=given)
    assert Measurement.objects.get().value == kept


@pytest.mark.parametrize("given", ["", "fast", "nan", "inf", "1e300"])
def test_what_is_no_number_comes_back_with_a_sentence(as_alice, lesson, hosts, given):
    answer = send(as_alice, lesson, "measurements/boot", value=given)
    assert answer.status_code == 422
    html = answer.content.decode()
    assert "Type a number" in html
    assert f'value="{given}" aria-invalid="true"' in html, "nothing typed is lost"
    assert not Measurement.objects.exists()


def test_what_alice_did_is_not_bobs(client, alice, bob, lesson, hosts):
    client.force_login(alice)
    send(client, lesson, "hints/one-1")
    client.force_login(bob)
    assert "Open your eyes." not in page(client, lesson)


def test_bob_cannot_resume_what_is_alices(as_bob, alice, lesson, asked):
    session = sessions.start(alice, lesson)
    assert send(as_bob, lesson, "sessions", resume=str(session.id)).status_code == 404
    assert send(as_bob, lesson, "sessions", resume="nonsense").status_code == 404


def test_a_start_leads_back_to_the_lesson_and_asks_a_worker_once(as_alice, lesson, asked):
    for _ in range(2):
        assert send(as_alice, lesson, "sessions").url == lesson.get_absolute_url()
    assert [task for task, _, _ in asked] == [protocol.TASK_CREATE]
    assert "You are in the queue" in page(as_alice, lesson)


def test_a_failed_start_says_why_and_offers_another(as_alice, alice, lesson, asked):
    session = sessions.start(alice, lesson)
    tell(session, "failed", 1, reason="setup-failed", detail="setup.sh: status 1")
    html = page(as_alice, lesson)
    assert REASONS["setup-failed"].sentence in html.replace("&#x27;", "'")
    assert "Try again" in html
    assert "setup.sh: status 1" not in html, "the detail is the operator's"


SESSION_AND_USER, LESSON_AND_MARKS = 2, 2


def test_a_page_costs_two_queries_however_much_was_done(as_alice, lesson, hosts, django_assert_num_queries):
    with django_assert_num_queries(SESSION_AND_USER + LESSON_AND_MARKS):
        page(as_alice, lesson)
    send(as_alice, lesson, "hints/one-1")
    send(as_alice, lesson, "answers/guess", answer="1")
    send(as_alice, lesson, "answers/q", one="o1")
    send(as_alice, lesson, "reading", step="one")
    with django_assert_num_queries(SESSION_AND_USER + LESSON_AND_MARKS):
        page(as_alice, lesson)


def test_a_running_sandbox_and_a_number_cost_one_more_each(as_alice, alice, lesson, asked, django_assert_num_queries):
    """Is its host silent, and what did the others measure?"""
    session = sessions.start(alice, lesson)
    LabSession.objects.update(state="ready", host="h1")
    session.terminals.create(number=1, machine="box", title="outside", state="open")
    with django_assert_num_queries(SESSION_AND_USER + LESSON_AND_MARKS + 1):
        assert 'data-terminal="1" data-title="outside" data-machine="box" data-term-state="open"' in page(as_alice, lesson)
    send(as_alice, lesson, "measurements/boot", value="3")
    with django_assert_num_queries(SESSION_AND_USER + LESSON_AND_MARKS + 2):
        page(as_alice, lesson)


def test_who_is_signed_out_costs_the_lesson_alone(client, lesson, hosts, django_assert_num_queries):
    with django_assert_num_queries(1):
        page(client, lesson)


def test_the_page_knows_the_last_of_one_s_own_sessions(as_alice, alice, bob, lesson, asked):
    first = sessions.start(alice, lesson)
    first.terminals.create(number=1, machine="box", title="of-the-first", state="open")
    LabSession.objects.update(state="ended", host="h1")
    second = sessions.start(alice, lesson)
    for number in (2, 1):
        second.terminals.create(number=number, machine="box", title=f"new-{number}", state="open")
    strange = sessions.start(bob, lesson)
    strange.terminals.create(number=1, machine="box", title="of-bob", state="open")
    LabSession.objects.filter(pk__in=(second.pk, strange.pk)).update(state="ready", host="h1")
    html = page(as_alice, lesson)
    assert f'data-session="{second.id}"' in html
    assert html.index('data-title="new-1"') < html.index('data-title="new-2"')
    assert not any(other in html for other in ("of-the-first", "of-bob", str(first.id), str(strange.id)))


def test_the_page_knows_the_session_that_runs_though_the_clock_was_set_back_since_the_last(as_alice, alice, lesson, asked):
    """A machine whose clock keeps another time zone is hours ahead until it is told better."""
    past = sessions.start(alice, lesson)
    LabSession.objects.filter(pk=past.pk).update(state="ended", queued_at=timezone.now() + timedelta(hours=2))
    running = sessions.start(alice, lesson)
    tell(running, "ready", 1, facts={}, terminals=[{"number": 0, "machine": "box"}])
    html = page(as_alice, lesson)
    assert str(running.pk) in html and str(past.pk) not in html
    assert 'data-state="ready"' in html
    assert [one["number"] for one in lesson_rows.marks(alice, lesson).terminals] == [0]


def test_another_text_is_another_page_at_once(as_alice, lesson, hosts):
    """What is remembered of a text is found by the text, so no other process has to be told."""
    assert "Words to read." in page(as_alice, lesson)
    Lesson.objects.update(document={"steps": [{"id": "one", "title": "One", "blocks": [
        {"kind": "html", "html": "<p>Other words.</p>"}]}]})
    html = page(as_alice, lesson)
    assert "Other words." in html
    assert "Words to read." not in html


@pytest.fixture
def opened(monkeypatch):
    noted = []
    monkeypatch.setattr(agent_client, "note_opened", noted.append)
    return noted


def test_a_lesson_that_can_be_started_is_told_to_the_hosts(as_alice, lesson, hosts, opened):
    page(as_alice, lesson)
    assert opened == [lesson.lab_digest]


def test_nobody_is_told_of_a_lesson_that_can_not_be_started(client, as_bob, alice, bob, lesson, hosts, asked, opened):
    sessions.start(bob, lesson)
    page(as_bob, lesson)
    client.logout()
    page(client, lesson)
    hosts.clear()
    client.force_login(alice)
    page(client, lesson)
    assert opened == []


def test_the_hosts_read_what_was_opened_last(lesson, redis_server):
    with redis.Redis.from_url(redis_server.url) as bus:
        for number in range(protocol.MAX_OPENED + 1):
            agent_client.note_opened(f"{number:064x}")
        kept = bus.zrange(protocol.OPENED_KEY, 0, -1)
    assert len(kept) == protocol.MAX_OPENED
    assert kept[-1] == f"{protocol.MAX_OPENED:064x}".encode()


def test_without_redis_a_page_is_a_page(as_alice, lesson, hosts, settings):
    settings.REDIS_URL = "unix:///nowhere/redis.sock?db=0"
    assert lesson.title in page(as_alice, lesson)


def test_a_redis_that_was_restarted_is_found_again_at_once(lesson, redis_server):
    """Connections are kept; the one that was cut must not be what the next page meets."""
    agent_client.note_opened("a" * 64)
    assert agent_client.living_hosts() == {}
    redis_server.kill()
    assert agent_client.living_hosts() == {}
    redis_server.start()
    with agent_client.connect() as bus:
        bus.hset(protocol.HOSTS_KEY, "h1", json.dumps({"at": bus.time()[0]}))
    assert list(agent_client.living_hosts()) == ["h1"]
    redis_server.kill()
    redis_server.start()
    with agent_client.connect() as bus:
        assert not bus.exists(protocol.HOSTS_KEY)


def test_pages_at_the_same_time_keep_their_redis_connections_apart(redis_server):
    names = [f"{number:064x}" for number in range(protocol.MAX_OPENED)]
    with agent_client.connect() as bus:
        before = bus.info("clients")["connected_clients"]
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(agent_client.note_opened, names * 4))
        assert {name.decode() for name in bus.zrange(protocol.OPENED_KEY, 0, -1)} == set(names)
        assert bus.info("clients")["connected_clients"] <= before + 8
