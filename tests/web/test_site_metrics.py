"""/metrics: what it says, that it says it for the whole site, and who may read it."""

import re

import pytest

from labs import sessions, tasks, timers
from labs.models import LabSession
from labs.sight import counters, synthetic
from runtime_agent import fleet, protocol
from runtime_agent.protocol.reasons import REASONS
from tests.web.test_sessions import tell

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def counted(redis_server):
    counters.bus().flushdb()


def scrape(client, **extra) -> dict[str, float]:
    """{series: value}"""
    answer = client.get("/metrics", **extra)
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/plain")
    lines = [line for line in answer.content.decode().splitlines() if not line.startswith("#")]
    return {series: float(value) for series, value in (line.rsplit(" ", 1) for line in lines)}


def test_every_state_and_every_reason_is_there_from_the_beginning(client):
    found = scrape(client)
    assert {state for state in LabSession.State.values if found[f'bulkhead_sessions{{state="{state}"}}'] == 0} == set(
        LabSession.State.values)
    reasons = set(re.findall(r'bulkhead_session_failures_total\{reason="([\w-]+)"\}', "\n".join(found)))
    assert reasons == set(REASONS)


def test_a_session_is_counted_where_it_is_and_its_start_is_timed(client, alice, lesson, asked, told):
    session = sessions.start(alice, lesson)
    assert scrape(client)['bulkhead_sessions{state="queued"}'] == 1
    tell(session, "ready", 1, facts={})
    found = scrape(client)
    assert found['bulkhead_sessions{state="ready"}'] == 1
    assert found["bulkhead_session_start_seconds_count"] == found['bulkhead_session_start_seconds_bucket{le="+Inf"}'] == 1


def test_a_failure_is_counted_by_its_reason_and_stays_counted(client, alice, lesson, asked, told):
    session = sessions.start(alice, lesson)
    tell(session, "failed", 1, reason="disk-full", detail="")
    sessions.restart(session.id)
    assert scrape(client)['bulkhead_session_failures_total{reason="disk-full"}'] == 1


def test_a_refused_event_and_the_timers_are_seen(client):
    tasks.record_event(event_id="x", session_id="y", seq=1, host="h", kind="ready", at=0, payload={})
    tasks.watch_sessions()
    found = scrape(client)
    assert sum(value for series, value in found.items() if series.startswith("bulkhead_events_refused_total")) == 1
    assert found["bulkhead_timers_last_run_timestamp_seconds"] > 1e9


def test_hosts_and_queues_are_in_it(client, hosts):
    counters.bus().lpush(protocol.QUEUE_SANDBOXES, "one", "two")
    counters.bus().sadd(fleet.QUEUES_KEY, fleet.queue_of(["nested"]))
    counters.bus().lpush(fleet.queue_of(["nested"]), "three")
    found = scrape(client)
    assert found["bulkhead_hosts"] == 1
    assert found['bulkhead_host_capacity{host="h1"}'] == 6
    assert found['bulkhead_queue_length{queue="sandboxes"}'] == 3


def test_no_redis_is_a_figure_and_not_an_error(client, settings, alice):
    settings.REDIS_URL = "unix:///nowhere?db=0"
    found = scrape(client)
    assert (found['bulkhead_up{part="redis"}'], found['bulkhead_up{part="database"}']) == (0, 1)
    assert 'bulkhead_sessions{state="ready"}' in found


def test_a_counter_never_stops_what_it_counts(settings, alice, lesson, asked, told):
    settings.REDIS_URL = "unix:///nowhere?db=0"
    session = sessions.start(alice, lesson)
    tell(session, "ready", 1, facts={})
    timers.watch()
    assert LabSession.objects.get().state == "ready"


@pytest.mark.parametrize("extra", [{"REMOTE_ADDR": "192.0.2.7"}, {"HTTP_X_FORWARDED_FOR": "192.0.2.7"},
                                   {"HTTP_FORWARDED": "for=192.0.2.7"}])
def test_strangers_find_nothing(client, extra):
    assert client.get("/metrics", **extra).status_code == 404


def test_with_a_token_it_is_the_token_that_counts(client, settings):
    settings.METRICS_TOKEN = "a-token-of-the-school"
    assert client.get("/metrics").status_code == 404
    assert client.get("/metrics", HTTP_AUTHORIZATION="Bearer another").status_code == 404
    scrape(client, HTTP_AUTHORIZATION="Bearer a-token-of-the-school", REMOTE_ADDR="192.0.2.7")


def test_nobody_is_named(client, alice, lesson, asked, told):
    session = sessions.start(alice, lesson)
    text = client.get("/metrics").content.decode()
    assert "alice" not in text
    assert str(session.id) not in text


def test_the_last_walk_is_in_it(client, monkeypatch):
    assert scrape(client)["bulkhead_synthetic_last_timestamp_seconds"] == 0
    synthetic.keep({"at": 17.0, "ok": True, "failed": "", "why": "", "seconds": {"start": 0.4}})
    found = scrape(client)
    assert (found["bulkhead_synthetic_ok"], found['bulkhead_synthetic_step_seconds{step="start"}']) == (1, 0.4)
    assert found['bulkhead_synthetic_walks_total{result="passed"}'] == 1
