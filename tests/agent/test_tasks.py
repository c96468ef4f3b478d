"""What the site may ask of a host: each message does its thing once, and a bad one is refused with a reason."""

import threading

import pytest

from runtime_agent import celeryapp, protocol, recovery
from runtime_agent.capacity import HostFull
from runtime_agent.errors import AgentError
from runtime_agent.protocol import ProtocolError
from runtime_agent.records import Record
from tests.agent.labs import lab_document, publish
from tests.agent.machine_room import ALICE, BOB, Answer, hall, told

READY = [("stage", "placed"), ("stage", "disk"), ("stage", "shell"), ("ready", None)]


@pytest.fixture
def site(tmp_path):
    sessions, room = hall(tmp_path)
    return sessions, room, publish(sessions.settings.content_dir)


def test_a_create_goes_through_its_stages_to_ready(site):
    sessions, room, lab = site
    sessions.create(ALICE, 1, lab, False)
    assert told(sessions) == READY
    assert room.created == [(ALICE, "box")]
    assert room.opened == [(ALICE, 0)]


def test_a_create_delivered_twice_makes_one_sandbox_and_answers_twice(site):
    sessions, room, lab = site
    sessions.create(ALICE, 1, lab, False)
    told(sessions)
    sessions.create(ALICE, 1, lab, False)
    assert told(sessions) == [("ready", None)]
    assert room.created == [(ALICE, "box")]


def test_a_restart_replaces_the_sandbox_and_an_old_create_is_ignored(site):
    sessions, room, lab = site
    sessions.create(ALICE, 1, lab, False)
    sessions.create(ALICE, 2, lab, False)
    assert room.created == [(ALICE, "box")] * 2
    told(sessions)
    sessions.create(ALICE, 1, lab, False)
    assert told(sessions) == []
    assert sessions.records.find(ALICE).generation == 2


def test_a_create_that_comes_after_its_delete_revives_nothing(site):
    sessions, room, lab = site
    sessions.create(ALICE, 1, lab, False)
    sessions.delete(ALICE, False)
    told(sessions)
    sessions.create(ALICE, 1, lab, False)
    assert told(sessions) == []
    assert not room.boxes
    sessions.create(ALICE, 2, lab, False)
    assert told(sessions) == READY


def test_delete_may_be_called_twice_and_for_a_stranger(site):
    sessions, room, lab = site
    sessions.create(ALICE, 1, lab, False)
    told(sessions)
    sessions.delete(ALICE, False)
    sessions.delete(ALICE, False)
    sessions.delete(BOB, False)
    assert told(sessions) == [("removed", False)] * 3
    assert not room.boxes
    assert not (sessions.records.sandboxes_dir / ALICE).exists()


def test_delete_with_keep_keeps_the_disk_and_the_progress_for_a_resume(site):
    sessions, room, lab = site
    sessions.create(ALICE, 1, lab, False)
    sessions.records.progress_path(ALICE).write_text('{"passed": {"one": "saw it"}}')
    sessions.delete(ALICE, True)
    assert room.kept == [(ALICE, "box")]
    sessions.create(ALICE, 2, lab, True)
    assert "saw it" in sessions.records.progress_path(ALICE).read_text()


def test_a_delete_of_a_former_run_that_is_delivered_again_drops_nothing_that_a_later_one_kept(site):
    sessions, room, lab = site
    sessions.create(ALICE, 1, lab, False)
    sessions.delete(ALICE, False, 1)
    sessions.create(ALICE, 2, lab, False)
    sessions.delete(ALICE, True, 2)
    told(sessions)
    sessions.delete(ALICE, False, 1)
    assert room.disk(ALICE).exists()
    assert told(sessions) == [("removed", True)]
    sessions.delete(ALICE, False, 2)
    assert not room.disk(ALICE).exists()
    assert told(sessions) == [("removed", False)]


@pytest.mark.parametrize(("machine", "reason"), [
    ({"profile": "privileged"}, "unknown-profile"), ({"image": "no/image"}, "unknown-image"),
    ({"memory_bytes": 1 << 50}, "bad-limit")])
def test_a_lab_that_asks_for_too_much_is_refused_with_its_reason(site, machine, reason):
    sessions, room, _ = site
    document = lab_document()
    document["machines"]["box"].update(machine)
    sessions.create(ALICE, 1, publish(sessions.settings.content_dir, document), False)
    assert told(sessions) == [("failed", reason)]
    assert not room.boxes


def test_an_unknown_lab_is_refused(site):
    sessions, _, _ = site
    sessions.create(ALICE, 1, "0" * 64, False)
    assert told(sessions) == [("failed", "unknown-lab")]


@pytest.mark.parametrize(("generation", "resume"), [("1", False), (None, False), (True, False), (1, "yes")])
def test_a_message_of_wrong_types_is_refused(site, generation, resume):
    sessions, _, lab = site
    sessions.create(ALICE, generation, lab, resume)
    assert told(sessions) == [("failed", "bad-message")]


@pytest.mark.parametrize("session_id", [None, "", "../../etc", ALICE.upper(), ALICE + "\n"])
def test_an_id_that_is_none_touches_nothing(site, session_id):
    sessions, room, lab = site
    for ask in (lambda: sessions.create(session_id, 1, lab, False), lambda: sessions.delete(session_id, False),
                lambda: sessions.report(session_id), lambda: sessions.check(session_id)):
        with pytest.raises(ProtocolError):
            ask()
    assert told(sessions) == []


@pytest.mark.parametrize(("error", "reason"), [
    (AgentError("unknown-image", "gone"), "unknown-image"), (OSError(28, "no space"), "start-failed")])
def test_a_start_that_fails_undoes_itself_and_says_why(site, error, reason):
    sessions, room, lab = site
    room.fails_with = error
    sessions.create(ALICE, 1, lab, False)
    assert told(sessions)[-1] == ("failed", reason)
    assert not (sessions.records.sandboxes_dir / ALICE).exists()


def test_a_resume_that_fails_keeps_the_disk(site):
    sessions, room, lab = site
    room.disk(ALICE).write_text("her work")
    room.fails_with = OSError("no loop device")
    sessions.create(ALICE, 2, lab, True)
    assert room.kept == [(ALICE, "box")]
    assert room.disk(ALICE).read_text() == "her work"


def test_a_resume_whose_files_are_gone_says_so(site):
    sessions, room, lab = site
    sessions.create(ALICE, 2, lab, True)
    assert told(sessions)[-1] == ("failed", "expired")
    assert room.created == []


def test_a_setup_that_fails_is_a_failed_session_with_its_last_line(site):
    sessions, room, _ = site
    lab = publish(sessions.settings.content_dir, lab_document(setup={"box": "setup.sh"}), {"setup.sh": "false"})
    room.answers["-eu"] = Answer(1, "starting\nno such user: carol\n")
    sessions.create(ALICE, 1, lab, False)
    event = list(sessions.outbox.waiting())[-1][1]
    assert event["payload"]["reason"] == "setup-failed"
    assert "no such user: carol" in event["payload"]["detail"]


def test_a_full_host_does_nothing_and_says_so_to_its_caller_only(tmp_path):
    sessions, room = hall(tmp_path, capacity=1)
    lab = publish(sessions.settings.content_dir)
    sessions.create(ALICE, 1, lab, False)
    told(sessions)
    with pytest.raises(HostFull):
        sessions.create(BOB, 1, lab, False)
    assert told(sessions) == []
    assert sessions.records.find(BOB) is None
    sessions.delete(ALICE, False)
    sessions.create(BOB, 1, lab, False)
    assert told(sessions)[-1] == ("ready", None)


def test_a_start_cut_short_is_carried_on_by_the_next_process(site):
    sessions, room, lab = site
    sessions.records.save(Record(ALICE, 3, lab))
    recovery.run(sessions, threading.Event())
    assert told(sessions) == READY
    assert sessions.records.find(ALICE).state == "ready"


def test_report_tells_again_how_things_stand(site):
    sessions, _, lab = site
    sessions.create(ALICE, 1, lab, False)
    sessions.records.progress_path(ALICE).write_text('{"passed": {"one": "saw"}, "pending": {"two": "no"}}')
    told(sessions)
    sessions.report(ALICE)
    assert told(sessions) == [("ready", None), ("task_passed", "one"), ("task_pending", "two")]


def test_report_of_a_session_this_host_lost_says_lost(site):
    sessions, _, _ = site
    sessions.report(BOB)
    assert told(sessions) == [("failed", "lost")]


def test_a_terminal_for_a_machine_that_is_not_there_opens_nothing(site):
    sessions, room, lab = site
    sessions.create(ALICE, 1, lab, False)
    sessions.open_terminal(ALICE, 1, "../box", 24, 80)
    sessions.open_terminal(BOB, 1, "box", 24, 80)
    assert room.opened == [(ALICE, 0)]
    sessions.open_terminal(ALICE, 1, "box", 24, 80)
    assert room.opened == [(ALICE, 0), (ALICE, 1)]


def test_a_terminal_is_hung_up_once(site):
    sessions, room, lab = site
    sessions.create(ALICE, 1, lab, False)
    told(sessions)
    for number in (0, 0, 7):
        sessions.close_terminal(ALICE, number)
    sessions.close_terminal(BOB, 0)
    assert room.opened == []
    assert [event["payload"]["state"] for _, event in sessions.outbox.waiting()] == ["closed"]


def test_every_event_carries_the_generation_it_belongs_to(site):
    sessions, _, lab = site
    sessions.create(ALICE, 7, lab, False)
    assert {event["payload"]["generation"] for _, event in sessions.outbox.waiting()} == {7}


@pytest.mark.parametrize(("redis_url", "broker"), [
    ("unix:///run/bulkhead/redis.sock?db=0", "redis+socket:///run/bulkhead/redis.sock?virtual_host=0"),
    ("unix:///a/b.sock", "redis+socket:///a/b.sock?virtual_host=0"),
    ("unix:///a/b.sock?db=3", "redis+socket:///a/b.sock?virtual_host=3"),
    ("redis://10.0.0.1:6379/1", "redis://10.0.0.1:6379/1")])
def test_the_brokers_address_is_written_as_kombu_wants_it(redis_url, broker):
    assert celeryapp.broker_url(redis_url) == broker


def test_the_app_takes_json_only_and_acknowledges_late():
    class Here:
        redis_url, host = "unix:///none?db=0", "here"

    configuration = celeryapp.make_app(Here).conf
    assert configuration.accept_content == ["json"]
    assert configuration.task_acks_late
    assert {queue.name for queue in configuration.task_queues} == {protocol.QUEUE_SANDBOXES, "agent.here"}


def test_machines_of_a_lab_share_one_fate(site):
    sessions, room, _ = site
    box = lab_document()["machines"]["box"]
    lab = publish(sessions.settings.content_dir, lab_document(
        machines={"box": box, "db": {**box, "hostname": "db"}},
        networks=[{"name": "lan", "machines": ["box", "db"], "subnet": "10.20.0.0/24"}],
        terminals=[{"title": "Box", "machine": "box"}, {"title": "Database", "machine": "db"}]))
    room.fails_with, room.fails_on = AgentError("start-failed", "network: no such device"), "db"
    sessions.create(ALICE, 1, lab, False)
    assert room.created == [(ALICE, "box")]
    assert told(sessions)[-1] == ("failed", "start-failed")
    assert not room.boxes and sessions.records.machines(ALICE) == []
    room.fails_with = None
    sessions.create(ALICE, 2, lab, False)
    assert told(sessions)[-1] == ("ready", None)
    assert room.opened == [(ALICE, 0), (ALICE, 1)]
