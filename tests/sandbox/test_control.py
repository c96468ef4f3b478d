"""The control worker over a real broker and real sandboxes: messages in, events out, and kills in between."""

from __future__ import annotations

import contextlib
import os
import re
import time
import uuid

import pytest
import redis

from runtime_agent import control, protocol, sandbox, slots, spares, spawn
from runtime_agent.keyboard import Keyboard
from tests.agent.labs import lab_document, publish
from tests.instance import PATIENCE, wait_until
from tests.sandbox.stage import Site, agent

pytestmark = pytest.mark.sandbox


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with agent(tmp_path_factory.mktemp("control")) as started:
        yield started


@pytest.fixture
def session_id():
    return str(uuid.uuid4())


@contextlib.contextmanager
def keyboard(site: Site, session_id: str, number: int = 0):
    """Somebody at a terminal of the session; its descriptor is a duplicate, so the terminal outlives them."""
    box = sandbox.find(site.settings, session_id, "box")
    master = spawn.adopt(spawn.open_terminal(site.settings, box, number, 24, 80))
    try:
        yield Keyboard(master)
    finally:
        os.close(master)


def test_a_click_becomes_a_shell_and_a_command_a_passed_task(site, session_id):
    site.create(session_id)
    site.wait_for(session_id, "ready")
    stages = [event["payload"]["stage"] for event in site.of(session_id, "stage")]
    assert stages == [stage for stage in protocol.STAGES if stage in stages], "in order; those over at once are left out"
    with keyboard(site, session_id) as hands:
        hands.wait_ready(0, 10 * PATIENCE)
        hands.type_line("echo $((6*7)); id -un", 10 * PATIENCE)
        assert b"42" in hands.screen
        assert b"student" in hands.screen
        hands.type_line("touch /tmp/one", 10 * PATIENCE)
        site.tell(protocol.TASK_CHECK, session_id=session_id)
        assert site.wait_for(session_id, "task_passed", task="one")["payload"]["saw"] == "saw one"
        hands.type_line("touch /tmp/two", 10 * PATIENCE)
        site.tell(protocol.TASK_CHECK, session_id=session_id)
        site.wait_for(session_id, "task_passed", task="two")
        assert not site.of(session_id, "task_pending"), "nobody has tried the third yet"
        site.mark(session_id)
        site.wait_for(session_id, "task_pending", task="three", why="no three")
    sequence = [event["seq"] for event in site.of(session_id)]
    assert sequence == sorted(set(sequence))


def test_a_broken_shell_cannot_break_the_check(site, session_id):
    document = lab_document()
    document["machines"]["box"]["user"] = "root"
    site.create(session_id, publish(site.settings.content_dir, document))
    site.wait_for(session_id, "ready")
    with keyboard(site, session_id) as hands:
        hands.wait_ready(0, 10 * PATIENCE)
        hands.type_line("touch /tmp/one; rm -f /bin/sh /bin/dash /bin/bash /bin/test; echo gone", 10 * PATIENCE)
    site.tell(protocol.TASK_CHECK, session_id=session_id)
    site.wait_for(session_id, "task_passed", task="one")


def test_the_same_create_twice_makes_one_sandbox(site, session_id):
    site.create(session_id)
    site.create(session_id)
    site.wait_for(session_id, "ready", count=2)
    assert [event["payload"]["terminals"] for event in site.of(session_id, "ready")] == [[{"number": 0, "machine": "box"}]] * 2
    assert [box.spec.machine for box in sandbox.living(site.settings)
            if box.spec.session_id == session_id] == ["box"]


def test_delete_twice_leaves_nothing_and_says_removed_twice(site, session_id):
    site.create(session_id)
    site.wait_for(session_id, "ready")
    box = sandbox.find(site.settings, session_id, "box")
    site.delete(session_id)
    site.delete(session_id)
    site.wait_for(session_id, "removed", count=2)
    assert not os.path.exists(f"/proc/{box.init_pid}")
    assert not (site.settings.agent_dir / "sandboxes" / session_id).exists()
    with open("/proc/mounts") as mounts:
        assert session_id not in mounts.read()


@pytest.mark.parametrize(("fields", "reason"), [
    ({"image": "no-such-image"}, "unknown-image"), ({"profile": "privileged"}, "unknown-profile"),
    ({"memory_bytes": 1 << 50}, "bad-limit")])
def test_a_lab_that_asks_for_what_there_is_not_is_refused_with_its_reason(site, session_id, fields, reason):
    document = lab_document()
    document["machines"]["box"].update(fields)
    site.create(session_id, publish(site.settings.content_dir, document))
    assert site.wait_for(session_id, "failed")["payload"]["reason"] == reason
    assert not (site.settings.agent_dir / "sandboxes" / session_id).exists()


def test_messages_about_a_session_that_is_being_made_keep_no_thread_from_the_others(site, session_id):
    """More of them than the agent has threads, as the site says again what it has heard no answer to."""
    slow = publish(site.settings.content_dir, lab_document(setup={"box": "setup.sh"}), {"setup.sh": "sleep 12"})
    site.create(session_id, slow)
    site.wait_for(session_id, "stage", stage="setup")
    for _ in range(control.WORKER_THREADS + 2):
        site.delete(session_id)
    other = str(uuid.uuid4())
    site.create(other)
    site.wait_for(other, "ready")
    assert site.of(session_id, "ready") == [], "the other one waited for it"
    site.wait_for(session_id, "removed")
    assert site.of(session_id, "ready"), "a message that came back ended what it should have waited for"
    site.delete(other)
    site.wait_for(other, "removed")


def test_an_unknown_lab_is_refused(site, session_id):
    site.create(session_id, "0" * 64)
    assert site.wait_for(session_id, "failed")["payload"]["reason"] == "unknown-lab"


def test_a_first_process_that_is_killed_is_told(site, session_id):
    site.create(session_id)
    site.wait_for(session_id, "ready")
    os.kill(sandbox.find(site.settings, session_id, "box").init_pid, 9)
    wait_until(lambda: sandbox.find(site.settings, session_id, "box") is None, 10, "the sandbox to be seen gone")
    site.tell(protocol.TASK_CHECK, session_id=session_id)
    site.wait_for(session_id, "exited", machine="box")
    site.delete(session_id)  # a dead sandbox keeps its place until then, and the others need it
    site.wait_for(session_id, "removed")


def test_an_orphan_is_reaped_and_its_neighbour_is_not(site, session_id):
    neighbour = str(uuid.uuid4())
    for name in (session_id, neighbour):
        site.create(name)
        site.wait_for(name, "ready")
    directory = site.settings.agent_dir / "sandboxes" / session_id
    (directory / "session.json").unlink()
    os.utime(directory, (0, 0))
    site.instance.kill("control")
    site.instance.start("control")  # the reaper looks at once, and then every minute
    wait_until(lambda: session_id not in site.places(), 30, "the orphan to be reaped")
    assert neighbour in site.places()


def test_a_killed_control_worker_costs_nobody_their_session(site, session_id):
    site.create(session_id)
    site.wait_for(session_id, "ready")
    with keyboard(site, session_id) as hands:
        hands.wait_ready(0, 10 * PATIENCE)
        hands.type_line("remember=me", 10 * PATIENCE)
        site.instance.kill("control")
        hands.type_line("touch /tmp/one; echo still-$remember", 10 * PATIENCE)
        assert b"still-me" in hands.screen
        site.tell(protocol.TASK_REPORT, session_id=session_id)
        site.instance.start("control")
        site.wait_for(session_id, "ready", count=2)
        site.tell(protocol.TASK_CHECK, session_id=session_id)
        site.wait_for(session_id, "task_passed", task="one")
        hands.type_line("echo after-$remember", 10 * PATIENCE)
        assert b"after-me" in hands.screen


def test_a_killed_broker_loses_no_event(site, session_id):
    site.create(session_id)
    site.wait_for(session_id, "ready")
    outbox = site.settings.agent_dir / "outbox"
    site.instance.kill("redis")
    os.kill(sandbox.find(site.settings, session_id, "box").init_pid, 9)
    wait_until(lambda: any(outbox.glob("*.json")), 40, "the timer to see the end and put an event by")
    site.instance.start("redis")
    site.wait_for(session_id, "exited", seconds=30)
    assert len(site.of(session_id, "exited")) == 1


def test_spares_outlive_a_killed_control_worker_and_the_next_click_gets_one(tmp_path):
    with agent(tmp_path, BULKHEAD_WARM="1") as site:
        first, second, third = (str(uuid.uuid4()) for _ in range(3))

        def spare() -> str:
            wait_until(lambda: spares.unclaimed(site.settings), 20, "a spare")
            return spares.unclaimed(site.settings)[0].name

        def told() -> int:
            return site.heartbeat().get("warm")

        with redis.Redis.from_url(site.settings.redis_url) as bus:
            bus.zadd(protocol.OPENED_KEY, {site.lab: time.time()})
        opened = spare()
        site.create(first)
        site.wait_for(first, "ready")
        assert sandbox.container(site.settings, first, "box") == opened, "an opened lesson's first click finds a spare"
        waiting = spare()
        wait_until(lambda: told() == 1, 20, "the heartbeat to count the spare")
        site.instance.kill("control")
        site.instance.start("control")
        site.create(second)
        site.wait_for(second, "ready")
        assert sandbox.container(site.settings, second, "box") == waiting
        assert re.search(f"spare={waiting} session_id={second}", site.instance.log("control"))
        with keyboard(site, second) as hands:
            hands.wait_ready(0, 10 * PATIENCE)
            hands.type_line("touch /tmp/one", 10 * PATIENCE)
        site.wait_for(second, "task_passed", task="one")
        spare()
        site.create(third)
        site.wait_for(third, "ready")
        site.delete(second)
        site.wait_for(second, "removed")
        assert waiting not in " ".join(slots.leased(site.settings).values())
        assert not (site.settings.spares_dir / waiting).exists()


def test_a_full_host_lets_creates_wait_and_takes_them_in_their_order(tmp_path):
    with agent(tmp_path, BULKHEAD_CAPACITY="1") as site:
        first, second, third = (str(uuid.uuid4()) for _ in range(3))
        site.create(first)
        site.wait_for(first, "ready")
        site.create(second)
        time.sleep(1)  # a create that a full host took wrongly would be there by now
        assert site.of(second) == []
        assert site.places() == {first}
        site.create(third)
        for done, following in ((first, second), (second, third)):
            site.delete(done)
            site.wait_for(following, "ready")
            assert site.places() == {following}
