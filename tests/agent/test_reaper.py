"""What no session owns goes; what somebody owns stays."""

import os
import threading
import time

import pytest

from runtime_agent import reaper, state
from runtime_agent.records import TOMBSTONE_SECONDS, Record
from tests.agent.labs import publish
from tests.agent.machine_room import ALICE, BOB, hall, told


@pytest.fixture
def scene(tmp_path):
    sessions, room = hall(tmp_path)
    sessions.create(ALICE, 1, publish(sessions.settings.content_dir), False)
    told(sessions)
    return sessions, room


def leave_behind(sessions, session_id, age_seconds):
    directory = sessions.records.sandboxes_dir / session_id / "box"
    directory.mkdir(parents=True)
    then = time.time() - age_seconds
    os.utime(directory.parent, (then, then))


def test_a_sandbox_with_a_living_record_stays(scene):
    sessions, room = scene
    assert reaper.reap(sessions, machinery=room) == []
    assert (ALICE, "box") in room.boxes


def test_a_sandbox_without_a_record_goes_and_the_site_hears_nothing(scene):
    sessions, room = scene
    leave_behind(sessions, BOB, age_seconds=60)
    assert reaper.reap(sessions, machinery=room) == [BOB]
    assert not (sessions.records.sandboxes_dir / BOB).exists()
    assert told(sessions) == []


def test_one_that_is_just_being_made_is_left_alone(scene):
    sessions, room = scene
    leave_behind(sessions, BOB, age_seconds=0)
    assert reaper.reap(sessions, machinery=room) == []


def test_what_a_delete_left_that_was_killed_goes_and_the_files_that_it_had_kept_stay(scene):
    sessions, room = scene
    sessions.delete(ALICE, keep=True)
    told(sessions)
    leave_behind(sessions, ALICE, age_seconds=60)
    assert reaper.reap(sessions, machinery=room) == [ALICE]
    assert not (sessions.records.sandboxes_dir / ALICE).exists()
    assert room.disk(ALICE).exists() and [kept.session_id for kept in sessions.records.kept()] == [ALICE]
    assert told(sessions) == []


def test_a_create_that_comes_just_before_the_reaper_has_its_turn_keeps_its_sandbox(scene, monkeypatch):
    sessions, room = scene
    leave_behind(sessions, BOB, age_seconds=60)

    def after_the_create(session_id):
        sessions.create(BOB, 1, sessions.records.find(ALICE).lab, False)
        return sessions.turns.lock_of(session_id)
    monkeypatch.setattr(sessions, "lock_of", after_the_create)
    assert reaper.reap(sessions, machinery=room) == []
    assert (BOB, "box") in room.boxes


def test_a_killed_lab_tests_sandbox_goes_and_a_running_ones_stays(scene):
    sessions, room = scene
    leave_behind(sessions, BOB, age_seconds=0)
    sessions.records.save(Record(BOB, 0, "0" * 64, owner=f"labtest:{os.getpid()}"))
    assert reaper.reap(sessions, machinery=room) == []
    sessions.records.save(Record(BOB, 0, "0" * 64, owner="labtest:4194999"))
    assert reaper.reap(sessions, machinery=room) == [BOB]


def test_a_session_the_site_forgot_goes_after_a_day_and_its_disk_stays(scene):
    sessions, room = scene
    accepted = sessions.records.find(ALICE).accepted_at
    assert reaper.reap(sessions, machinery=room, now=accepted + reaper.MAX_AGE_SECONDS - 1) == []
    assert reaper.reap(sessions, machinery=room, now=accepted + reaper.MAX_AGE_SECONDS + 1) == [ALICE]
    assert room.kept == [(ALICE, "box")]
    assert told(sessions) == [("removed", True)]


def test_reaping_twice_is_reaping_once(scene):
    sessions, room = scene
    leave_behind(sessions, BOB, age_seconds=60)
    reaper.reap(sessions, machinery=room)
    assert reaper.reap(sessions, machinery=room) == []


def test_what_is_no_session_is_not_touched(scene):
    sessions, room = scene
    (sessions.records.sandboxes_dir / "lost+found").mkdir()
    assert reaper.reap(sessions, machinery=room) == []
    assert (sessions.records.sandboxes_dir / "lost+found").exists()


def test_tombstones_go_when_no_message_can_be_older(scene):
    sessions, room = scene
    sessions.records.bury(BOB, 4)
    reaper.reap(sessions, machinery=room)
    assert sessions.records.ended_generation(BOB) == 4
    reaper.reap(sessions, machinery=room, now=time.time() + TOMBSTONE_SECONDS + 1)
    assert sessions.records.ended_generation(BOB) == -1


def test_files_that_a_power_cut_tore_are_taken_for_none(scene, tmp_path):
    sessions, room = scene
    leave_behind(sessions, BOB, age_seconds=60)
    home = sessions.records.sandboxes_dir / BOB
    (home / "session.json").write_text("")
    os.utime(home, (time.time() - 60,) * 2)
    assert reaper.reap(sessions, machinery=room) == [BOB]
    assert not home.exists()
    (tmp_path / state.FILE).write_text("{")
    assert state.load(tmp_path) is None


def test_each_round_bounds_the_points_too_and_one_that_fails_is_not_the_last(scene, monkeypatch):
    """What BULKHEAD_POINTS_GIB promises is kept nowhere else."""
    done, stopped = [], threading.Event()

    def reap(sessions):
        done.append("reap")
        if len(done) == 1:
            raise OSError("the disk is away")
    monkeypatch.setattr(reaper, "PERIOD_SECONDS", 0.01)
    monkeypatch.setattr(reaper, "reap", reap)
    monkeypatch.setattr(reaper.rewind, "make_room", lambda sessions: done.append("points"))
    monkeypatch.setattr(reaper.conmon, "clean_up", lambda *_: done.append("conmons") or stopped.set())
    reaper.run(scene[0], stopped)
    assert done == ["reap", "reap", "points", "conmons"]
