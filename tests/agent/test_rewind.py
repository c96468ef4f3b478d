"""Steps that can be started over: when a point is kept, what going back brings back, and what it costs at most."""

import json
import os
import threading
from types import SimpleNamespace

import pytest

from runtime_agent import points, progress, protocol, reaper, recovery, rewind, rootfs
from runtime_agent.checks import Checker, Examiner
from runtime_agent.diskcopy import Skipped, Source
from runtime_agent.errors import AgentError
from runtime_agent.points import Points
from runtime_agent.records import Record
from tests.agent.labs import lab_document, publish, task
from tests.agent.machine_room import ALICE, BOB, Answer, PlainFiles, hall, told

STEPS = ("first", "second", "third")
DOCUMENT = {"steps": [*STEPS, "reading"], "tasks": [task("one", "first"), task("two", "second"), task("three", "third")]}


@pytest.fixture
def scene(tmp_path):
    """Alice at the beginning of step ``first``; (sessions, room, lab, checker)."""
    sessions, room = hall(tmp_path)
    lab = publish(sessions.settings.content_dir, lab_document(**DOCUMENT))
    sessions.create(ALICE, 1, lab, False)
    told(sessions)
    return sessions, room, lab, Checker(sessions.settings, sessions, Examiner(sessions.settings, machinery=room, terminals=room))


def work(scene, task_id, files):
    """She writes ``files`` and her task passes."""
    _sessions, room, _lab, checker = scene
    room.disk(ALICE).write_text(files)
    room.answers[f"{task_id}.sh"] = Answer(0, f"saw {task_id}\n")
    checker.look_now(ALICE)


def passed(sessions, session_id=ALICE):
    return set(progress.load(sessions.records.progress_path(session_id)).passed)


def steps_of(sessions):
    return [point["step"] for point in sessions.points.told(ALICE)]


def last_payload(sessions, kind):
    return [event["payload"] for _, event in sessions.outbox.waiting() if event["kind"] == kind][-1]


def test_a_passed_step_leaves_a_point_and_the_site_is_told(scene):
    sessions = scene[0]
    work(scene, "one", "one")
    payload = last_payload(sessions, "points")
    assert [point["step"] for point in payload["points"]] == ["second"]
    assert payload["points"][0]["bytes"] > 0
    assert payload["skipped"] is None


def test_the_last_step_leaves_no_point_behind_it(scene):
    for name in ("one", "two", "three"):
        work(scene, name, name)
    assert steps_of(scene[0]) == ["second", "third"]


def test_going_back_brings_the_files_of_that_moment_and_keeps_what_was_passed_before(scene):
    sessions, room, lab, _ = scene
    for name in ("one", "two", "three"):
        work(scene, name, f"after {name}")
    told(sessions)
    room.answers.clear()
    sessions.create(ALICE, 2, lab, True, "second")
    assert told(sessions)[-1] == ("ready", None)
    assert room.disk(ALICE).read_text() == "after one"
    assert passed(sessions) == {"one"}
    assert steps_of(sessions) == ["second"]


def test_going_back_to_the_first_step_is_an_empty_disk_and_the_set_up_again(tmp_path):
    sessions, room = hall(tmp_path)
    lab = publish(sessions.settings.content_dir, lab_document(**DOCUMENT, setup={"box": "setup.sh"}), {"setup.sh": "true"})
    room.answers["-eu"] = Answer(0, "")
    sessions.create(ALICE, 1, lab, False)
    room.disk(ALICE).write_text("spoilt")
    room.asked.clear()
    sessions.create(ALICE, 2, lab, True, "first")
    assert room.disk(ALICE).read_text() == "new"
    assert room.asked == ["-eu"]
    assert passed(sessions) == set()


@pytest.mark.parametrize(("resume", "runs"), [({}, "setup"), ({"box": "resume.sh"}, "resume")])
def test_kept_files_get_the_resume_script_where_there_is_one(tmp_path, resume, runs):
    sessions, room = hall(tmp_path)
    scripts = {"setup.sh": "setup", "resume.sh": "resume"} if resume else {"setup.sh": "setup"}
    lab = publish(sessions.settings.content_dir, lab_document(**DOCUMENT, setup={"box": "setup.sh"}, resume=resume), scripts)
    room.answers["-eu"] = Answer(0, "")
    sessions.create(ALICE, 1, lab, False)
    assert room.fed == [b"setup"]
    sessions.delete(ALICE, True)
    sessions.create(ALICE, 2, lab, True)
    assert room.fed[1:] == [runs.encode()]


def test_a_rewind_delivered_twice_happens_once(scene):
    sessions, room, lab, _ = scene
    work(scene, "one", "after one")
    sessions.create(ALICE, 2, lab, True, "second")
    room.disk(ALICE).write_text("later work")
    sessions.create(ALICE, 2, lab, True, "second")
    assert room.disk(ALICE).read_text() == "later work"
    assert len(room.created) == 2
    assert sessions.records.find(ALICE).generation == 2


def test_a_rewind_cut_short_is_carried_on_by_the_next_process(scene):
    sessions, room, lab, _ = scene
    work(scene, "one", "after one")
    room.disk(ALICE).write_text("later")
    sessions.delete(ALICE, True)
    sessions.records.save(Record(ALICE, 2, lab, resume=True, point="second"))
    told(sessions)
    recovery.run(sessions, threading.Event())
    assert told(sessions)[-1] == ("ready", None)
    assert room.disk(ALICE).read_text() == "after one"


@pytest.mark.parametrize(("point", "reason"), [("third", "no-point"), ("nowhere", "bad-message"), ("../first", "bad-message")])
def test_a_point_that_is_not_there_fails_and_leaves_the_files(scene, point, reason):
    sessions, room, lab, _ = scene
    room.disk(ALICE).write_text("her work")
    sessions.create(ALICE, 2, lab, True, point)
    assert told(sessions)[-1] == ("failed", reason)
    assert room.disk(ALICE).read_text() == "her work"
    sessions.create(ALICE, 3, lab, True)
    assert told(sessions)[-1] == ("ready", None)


@pytest.mark.parametrize(("resume", "point"), [(False, "second"), (True, 2), (True, ["second"])])
def test_a_point_of_a_wrong_type_is_refused(scene, resume, point):
    sessions, _, lab, _ = scene
    sessions.create(ALICE, 2, lab, resume, point)
    assert told(sessions) == [("failed", "bad-message")]


def test_points_go_with_the_disk(scene):
    sessions = scene[0]
    work(scene, "one", "one")
    sessions.delete(ALICE, True)
    assert steps_of(sessions) == ["second"]
    assert last_payload(sessions, "removed")["bytes"] > 0
    sessions.delete(ALICE, False)
    assert steps_of(sessions) == []
    assert last_payload(sessions, "removed")["bytes"] == 0
    assert list(sessions.records.disks_dir.iterdir()) == []


def test_a_restart_keeps_no_point_of_the_run_before(scene):
    sessions, _, lab, _ = scene
    work(scene, "one", "one")
    sessions.create(ALICE, 2, lab, False)
    assert steps_of(sessions) == []


# --- the bounds -------------------------------------------------------------------------------------------


def test_a_full_disk_keeps_no_point_and_says_so(scene, monkeypatch):
    monkeypatch.setattr(rootfs, "FREE_BYTES_WATERMARK", 1 << 60)
    work(scene, "one", "one")
    assert last_payload(scene[0], "points") == {
        "points": [], "skipped": {"step": "second", "reason": "disk-full"}, "generation": 1}
    assert passed(scene[0]) == {"one"}


@pytest.mark.parametrize("error", [Skipped("too-large", "300 MiB"), OSError(28, "no space")])
def test_a_copy_that_fails_leaves_nothing_half(scene, error):
    sessions = scene[0]

    def half(source, target):
        target.write_text("half")
        raise error

    sessions.points.disks.freeze_and_copy = half
    work(scene, "one", "one")
    assert last_payload(sessions, "points")["skipped"]["reason"] == ("too-large" if isinstance(error, Skipped) else "disk-full")
    assert list((sessions.records.points_dir / ALICE).iterdir()) == []


def test_a_bring_back_that_fails_leaves_the_disk_as_it_was(scene):
    sessions, room, lab, _ = scene
    work(scene, "one", "after one")
    room.disk(ALICE).write_text("her work")

    def half(point, target):
        target.write_text("half")
        raise OSError(28, "no space")

    sessions.points.disks.copy_back = half
    sessions.create(ALICE, 2, lab, True, "second")
    assert told(sessions)[-1] == ("failed", "disk-full")
    assert room.disk(ALICE).read_text() == "her work"
    assert steps_of(sessions) == ["second"]


@pytest.fixture
def store(tmp_path):
    image = tmp_path / "box.img"
    image.write_bytes(b"x" * 4096)
    settings = SimpleNamespace(agent_dir=tmp_path)
    return Points(settings, PlainFiles()), [Source("box", image, tmp_path)]


@pytest.mark.parametrize("count", [points.MAX_POINTS - 1, points.MAX_POINTS, points.MAX_POINTS + 1])
def test_the_oldest_points_go_when_there_are_too_many(store, count):
    kept, sources = store
    for number in range(count):
        kept.take(ALICE, number, f"step {number}", sources)
    numbers = [point["number"] for point in kept.list(ALICE)]
    assert numbers == list(range(count))[-points.MAX_POINTS:]


@pytest.mark.parametrize(("limit", "left"), [(8192, [1, 2]), (8191, [2]), (1, [2])])
def test_the_oldest_points_go_when_they_hold_too_much_and_the_newest_stays(store, monkeypatch, limit, left):
    kept, sources = store
    monkeypatch.setattr(points, "MAX_SESSION_BYTES", limit)
    for number in range(3):
        kept.take(ALICE, number, f"step {number}", sources)
    assert [point["number"] for point in kept.list(ALICE)] == left


def test_what_a_kill_left_half_made_is_no_point_and_goes(store):
    kept, sources = store
    kept.take(ALICE, 1, "one", sources)
    half = kept.directory / ALICE / ".building-02"
    half.mkdir()
    (half / "box.img").write_text("half")
    (kept.directory / ALICE / ".back-box.img").write_text("half")
    assert [point["step"] for point in kept.list(ALICE)] == ["one"]
    kept.clean_up()
    assert [entry.name for entry in (kept.directory / ALICE).iterdir()] == ["01"]


def test_a_point_is_taken_once(store):
    kept, sources = store
    kept.take(ALICE, 1, "one", sources)
    sources[0].image.write_bytes(b"later")
    kept.take(ALICE, 1, "one", sources)
    assert (kept.directory / ALICE / "01" / "box.img").read_bytes() == b"x" * 4096


def test_a_machine_without_a_copy_is_no_point(store, tmp_path):
    kept, sources = store
    kept.take(ALICE, 1, "one", sources)
    with pytest.raises(AgentError, match="no-point"):
        kept.restore(ALICE, 1, {"box": tmp_path / "a", "other": tmp_path / "b"})


# --- room on the host -------------------------------------------------------------------------------------


def test_kept_disks_over_the_hosts_cap_go_oldest_first_and_their_owner_is_told(tmp_path):
    sessions, room = hall(tmp_path)
    lab = publish(sessions.settings.content_dir)
    for number, session_id in enumerate((ALICE, BOB)):
        sessions.create(session_id, 7, lab, False)
        room.disk(session_id).write_bytes(b"x" * 65536)
        sessions.delete(session_id, True)
        kept = sessions.records.disks_dir / f"{session_id}.kept.json"
        kept.write_text(json.dumps({**json.loads(kept.read_text()), "ended_at": number}))
    sessions.settings.kept_bytes = 2 * 65536
    assert reaper.make_room(sessions) == []
    sessions.settings.kept_bytes = 2 * 65536 - 1
    told(sessions)
    assert reaper.make_room(sessions) == [ALICE]
    (_, event), = sessions.outbox.waiting()
    assert (event["kind"], event["session_id"]) == ("removed", ALICE)
    assert event["payload"] == {"kept": False, "bytes": 0, "reason": "made-room", "generation": 7}
    assert not room.disk(ALICE).exists()
    assert room.disk(BOB).exists()


def test_a_session_that_runs_again_is_not_kept(tmp_path):
    sessions, _room = hall(tmp_path)
    lab = publish(sessions.settings.content_dir)
    sessions.create(ALICE, 1, lab, False)
    sessions.delete(ALICE, True)
    (kept,) = sessions.records.kept()
    sessions.create(ALICE, 2, lab, True)
    assert sessions.records.kept() == []
    told(sessions)
    sessions.drop_kept(kept)
    assert told(sessions) == []
    assert os.path.exists(sessions.records.disk_path(ALICE, "box"))


def bob_too(sessions, lab):
    sessions.create(BOB, 1, lab, False)
    told(sessions)


def give(sessions, session_id, *sizes):
    """Points of the steps after the first, with these sizes, as bytes in point.json."""
    for number, size in enumerate(sizes, 1):
        folder = sessions.points.directory / session_id / f"{number:02d}"
        folder.mkdir(parents=True)
        (folder / "point.json").write_text(json.dumps({"step": STEPS[number], "bytes": size, "taken_at": 1.0}))


def test_the_largest_sessions_earliest_points_make_room_and_it_is_told(scene, monkeypatch):
    sessions, _room, lab, _checker = scene
    bob_too(sessions, lab)
    give(sessions, ALICE, 40, 30)
    give(sessions, BOB, 31)
    monkeypatch.setattr(sessions.settings, "points_bytes", 101, raising=False)
    assert rewind.make_room(sessions) == []
    sessions.settings.points_bytes = 100
    assert rewind.make_room(sessions) == [(ALICE, "second")]
    payload = last_payload(sessions, "points")
    assert payload["points"] == [{"step": "third", "bytes": 30}]
    assert payload["skipped"] == {"step": "second", "reason": "made-room"}
    assert protocol.POINT_SKIPPED["made-room"]


def test_room_is_made_until_nothing_is_left_to_give(scene, monkeypatch):
    sessions, _room, lab, _checker = scene
    bob_too(sessions, lab)
    give(sessions, ALICE, 40, 30)
    give(sessions, BOB, 35)
    monkeypatch.setattr(sessions.settings, "points_bytes", 0, raising=False)
    assert rewind.make_room(sessions) == [(ALICE, "second"), (BOB, "second"), (ALICE, "third")]
    assert sessions.points.sizes() == {}


def test_what_an_ended_session_keeps_is_not_counted(scene, monkeypatch):
    sessions = scene[0]
    work(scene, "one", "one")
    size = sessions.points.sizes()[ALICE]
    sessions.delete(ALICE, keep=True)
    monkeypatch.setattr(sessions.settings, "points_bytes", size - 1, raising=False)
    assert rewind.make_room(sessions) == []
    assert sessions.points.sizes() == {ALICE: size}
