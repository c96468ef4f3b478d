"""What the workers take from their queues: whatever somebody pushes, they live, count it, and work the next message."""

import base64
import copy
import json
import os
import random
import subprocess
import sys
import time

import pytest
import redis

from labs import tasks
from labs.sight import counters
from labsite.celery import app
from runtime_agent import intake, protocol
from tests import poison
from tests.instance import PROJECT, wait_until

GOOD_BETWEEN = 20
AGENT = """
import os, time
from runtime_agent import metrics, protocol, tasks
class Double:
    def report(self, session_id):
        refused = sum(metrics.REFUSED.labels(reason)._value.get() for reason in metrics.intake.REASONS)
        with open(os.environ["MARK"], "a") as file:
            file.write(f"{session_id} {refused:.0f}\\n")
        while session_id == "slow" and not os.path.exists(os.environ["MARK"] + "-go"):
            time.sleep(0.01)
tasks.install(Double())
tasks.app.Worker(pool="threads", concurrency=4, queues=[protocol.agent_queue("one")], without_gossip=True, without_mingle=True,
                 without_heartbeat=True, loglevel="WARNING", quiet=True).start()
"""


@pytest.fixture
def bus(redis_server):
    with redis.Redis.from_url(redis_server.url) as found:
        found.flushdb()
        yield found


@pytest.fixture
def started(redis_server, tmp_path):
    """A function that starts a worker; each must live to the end of the test."""
    running = []

    def start(*command):
        environment = {**{name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"},
                       "BULKHEAD_SECRET_KEY": "x" * 50, "BULKHEAD_REDIS_URL": redis_server.url, "BULKHEAD_HOST": "one", "MARK": str(tmp_path / "mark"),
                       "BULKHEAD_STATE_DIR": str(tmp_path), "BULKHEAD_RUN_DIR": str(tmp_path), "PYTHONPATH": str(PROJECT)}
        log = (tmp_path / "log").open("wb")
        running.append(subprocess.Popen([sys.executable, *command], cwd=PROJECT, env=environment, stdout=log, stderr=log))
        return running[-1]
    yield start
    for process in running:
        process.kill()
        process.wait()


def push_among_good(bus, queue, bad, task, **named):
    """Every bad message with a good one behind it now and then. How many good ones."""
    goods = 0
    for number, message in enumerate(bad):
        bus.lpush(queue, message)
        if number % GOOD_BETWEEN == 0 or number == len(bad) - 1:
            bus.lpush(queue, json.dumps(poison.good(task, **named)))
            goods += 1
    return goods


def left_over(bus):
    return {key for key in bus.scan_iter() if b"unacked" in key or key in (b"web", b"agent.one")}


def told(tmp_path):
    return (tmp_path / "log").read_text()


def test_the_web_worker_lives_through_every_malformed_message(bus, started, tmp_path):
    worker = started("-m", "celery", "-q", "-A", "labsite", "worker", "-Q", "web", "-P", "threads", "-c", "4")
    bad = poison.raw(protocol.TASK_RECORD_EVENT, odd=1)
    goods = push_among_good(bus, protocol.QUEUE_WEB, bad, protocol.TASK_RECORD_EVENT, odd=1)

    def counted(name):
        return sum(value for field, value in counters.read().items() if field.startswith(name))
    wait_until(lambda: worker.poll() is not None or (counted(counters.EVENTS_REFUSED) == goods and not left_over(bus)), 40,
               "the good messages to be worked")
    assert worker.poll() is None, told(tmp_path)
    assert counted(counters.MESSAGES_REFUSED) == len(bad)
    assert told(tmp_path).count("message refused queue=web") == len(bad)
    assert "Traceback" not in told(tmp_path)


def test_a_worker_host_lives_through_every_malformed_message(bus, started, tmp_path):
    worker = started("-c", AGENT)
    bad = poison.raw(protocol.TASK_REPORT, session_id="x")
    goods = push_among_good(bus, protocol.agent_queue("one"), bad, protocol.TASK_REPORT, session_id="x")

    def worked():
        return (tmp_path / "mark").read_text().splitlines() if (tmp_path / "mark").exists() else []
    wait_until(lambda: worker.poll() is not None or (len(worked()) == goods and not left_over(bus)), 40,
               "the good messages to be worked")
    assert worker.poll() is None, told(tmp_path)
    assert f"x {len(bad)}" in worked(), "the last good one came after all the bad ones"
    assert "Traceback" not in told(tmp_path)


def test_a_full_redis_is_waited_for(bus, started, tmp_path):
    """It refuses to acknowledge, which Celery would end for."""
    worker = started("-c", AGENT)

    def is_worked():
        before = (tmp_path / "mark").stat().st_size if (tmp_path / "mark").exists() else 0
        bus.lpush(protocol.agent_queue("one"), json.dumps(poison.good(protocol.TASK_REPORT, session_id="x")))
        return lambda: worker.poll() is not None or ((tmp_path / "mark").exists() and (tmp_path / "mark").stat().st_size > before)
    wait_until(is_worked(), 40, "a first message to be worked")
    with bus.pipeline() as at_once:  # it is full before the worker can acknowledge this one
        at_once.lpush(protocol.agent_queue("one"), json.dumps(poison.good(protocol.TASK_REPORT, session_id="y")))
        at_once.config_set("maxmemory", 1)
        at_once.execute()
    try:
        wait_until(lambda: worker.poll() is not None or "maxmemory" in told(tmp_path), 40, "the worker to notice")
    finally:
        bus.config_set("maxmemory", 0)
    wait_until(is_worked(), 40, "a message after it to be worked")
    assert worker.poll() is None, told(tmp_path)


def test_what_a_full_redis_did_not_let_be_acknowledged_takes_no_place(bus, started, tmp_path):
    """The worker takes as many messages as it has threads, and none more until one of them is acknowledged."""
    worker, mark = started("-c", AGENT), tmp_path / "mark"

    def push(session_id):
        bus.lpush(protocol.agent_queue("one"), json.dumps(poison.good(protocol.TASK_REPORT, session_id=session_id)))
    for _ in range(4):
        push("slow")
    wait_until(lambda: mark.exists() and mark.read_text().count("slow") == 4, 40, "every thread to be at work")
    bus.config_set("maxmemory", 1)
    try:
        (tmp_path / "mark-go").touch()
        wait_until(lambda: told(tmp_path).count("ack") >= 4, 40, "no acknowledgement to come through")
    finally:
        bus.config_set("maxmemory", 0)
    push("next")
    wait_until(lambda: "next" in mark.read_text(), 20, "a message after it to be worked")
    assert worker.poll() is None, told(tmp_path)


def test_trying_again_while_redis_is_full_leaves_no_connection_open(bus, started, tmp_path):
    started("-c", AGENT)
    bus.lpush(protocol.agent_queue("one"), json.dumps(poison.good(protocol.TASK_REPORT, session_id="x")))
    wait_until(lambda: (tmp_path / "mark").exists(), 40, "a first message to be worked")
    before = len(bus.client_list())
    with bus.pipeline() as at_once:
        at_once.lpush(protocol.agent_queue("one"), json.dumps(poison.good(protocol.TASK_REPORT, session_id="y")))
        at_once.config_set("maxmemory", 1)
        at_once.execute()
    try:
        wait_until(lambda: told(tmp_path).count("maxmemory") > 30, 60, "the worker to have tried again and again")
        assert len(bus.client_list()) <= before + 2
    finally:
        bus.config_set("maxmemory", 0)


@pytest.fixture
def gate():
    assert tasks.record_event.name in app.tasks
    return intake.Intake(app, lambda reason: None)


@pytest.mark.parametrize(("part", "name", "value"), poison.HARMLESS)
def test_what_is_not_taken_over_does_no_harm(gate, part, name, value):
    message = poison.changed(poison.good(protocol.TASK_RECORD_EVENT, odd=1), part, name, value)
    found = gate.remade(message, "web")
    assert found["properties"]["delivery_info"] == {"exchange": "", "routing_key": "web"}
    assert json.loads(base64.b64decode(found["body"])) == [[], {"odd": 1}, {}]


def test_what_is_to_be_sent_afterwards_is_not_taken_over(gate):
    """A worker host writes to ``web``; the site's worker may write everywhere."""
    follow_up = {"task": protocol.TASK_DELETE, "options": {"queue": "agent.other"}, "args": [], "kwargs": {"session_id": "x"}}
    message = poison.good(protocol.TASK_RECORD_EVENT, odd=1)
    message["body"] = poison.packed([[], {"odd": 1}, {"callbacks": [follow_up], "errbacks": [follow_up], "chain": [follow_up]}])
    assert b"agent.other" not in base64.b64decode(gate.remade(message, "web")["body"])


def test_arguments_that_do_not_fit_their_task_are_refused(gate):
    with pytest.raises(intake.Refused) as refused:
        gate.remade(poison.good("web.watch_hosts", odd=1), "web")
    assert refused.value.reason == "bad-arguments"


@pytest.mark.parametrize(("length", "fits"), [(-1, True), (0, True), (1, False)])
def test_a_body_may_be_so_long_and_no_longer(gate, length, fits):
    message = poison.good(protocol.TASK_RECORD_EVENT)
    message["body"] = base64.b64encode(json.dumps([[], {}, {}]).encode().ljust(3 * (intake.MAX_BODY_CHARS // 4 + length))).decode()
    if fits:
        gate.remade(message, "web")
    else:
        with pytest.raises(intake.Refused, match="characters"):
            gate.remade(message, "web")


def test_nothing_that_is_json_makes_it_raise_anything_else(gate):
    """Good messages with random parts replaced by random values."""
    seed = int(time.time())
    chance = random.Random(seed)  # noqa: S311
    values = [None, True, -1, 0.5, 1e400, "", "x", "\ud800", [], [1], {}, {"a": []}, poison.packed([]), 2**70, "2026-01-01"]
    for _ in range(int(os.environ.get("BULKHEAD_FUZZ_CASES", "2000"))):
        message = poison.good(protocol.TASK_RECORD_EVENT, odd=1)
        for _ in range(chance.randint(1, 4)):
            place = chance.choice([message, message["headers"], message["properties"]])
            if isinstance(place, dict) and place:
                place[chance.choice(list(place))] = copy.copy(chance.choice(values))
            if not isinstance(message.get("headers"), dict) or not isinstance(message.get("properties"), dict):
                break
        try:
            gate.remade(json.loads(json.dumps(message)), "web")
        except intake.Refused as refused:
            assert refused.reason in intake.REASONS, seed
        except Exception as error:
            raise AssertionError(f"seed {seed}: {message}") from error
