"""Which checks run when, and what of their answers is news."""

import socket
import threading

import pytest

from runtime_agent import content, marks, progress
from runtime_agent.checks import HOLD_SECONDS, Checker, Examiner, Schedule
from runtime_agent.launch import last_line
from runtime_agent.marks import TerminalMark
from runtime_agent.progress import Progress
from tests.agent.labs import lab_document, publish, task
from tests.agent.machine_room import ALICE, BOB, Answer, hall, told


@pytest.fixture
def scene(tmp_path):
    """Alice's ready session, its machine room and the checker; events so far are taken."""
    sessions, room = hall(tmp_path)
    sessions.create(ALICE, 1, publish(sessions.settings.content_dir), False)
    told(sessions)
    return sessions, room, Checker(sessions.settings, sessions, Examiner(sessions.settings, machinery=room,
                                                                         terminals=room))


def passes(*names):
    return {f"{name}.sh": Answer(0, f"saw {name}\n") for name in names}


def test_only_tasks_of_the_open_step_whose_needs_are_met_are_asked(scene):
    _, room, checker = scene
    checker.look_now(ALICE)
    assert room.asked == ["one.sh"]


def test_passing_a_need_opens_the_next_task_in_the_same_look(scene):
    sessions, room, checker = scene
    room.answers = passes("one")
    checker.look_now(ALICE)
    assert room.asked == ["one.sh", "two.sh"]
    assert told(sessions) == [("task_passed", "one")]


def test_not_yet_is_said_only_of_a_task_that_was_open_when_a_command_ended(scene):
    sessions, room, checker = scene
    checker.look_now(ALICE, after_command=False)
    assert told(sessions) == []
    room.answers = passes("one")
    checker.look_now(ALICE)
    checker.look_now(ALICE, after_command=False)
    assert told(sessions) == [("task_passed", "one")], "of the second task nobody has tried anything yet"
    checker.look_now(ALICE)
    assert told(sessions) == [("task_pending", "two")]


def test_what_was_tried_is_told_again_when_the_timer_finds_another_reason(scene):
    sessions, room, checker = scene
    checker.look_now(ALICE)
    room.answers["one.sh"] = Answer(1, "it is empty\n")
    checker.look_now(ALICE, after_command=False)
    assert told(sessions) == [("task_pending", "one")] * 2


def test_a_finished_step_opens_the_next_one(scene):
    sessions, room, checker = scene
    room.answers = passes("one", "two")
    checker.look_now(ALICE)
    assert room.asked == ["one.sh", "two.sh", "three.sh"]
    assert told(sessions) == [("task_passed", "one"), ("task_passed", "two"), ("points", None)]


def test_a_later_step_is_not_asked_before_its_turn(scene):
    sessions, room, checker = scene
    room.answers = passes("three")
    checker.look_now(ALICE)
    assert "three.sh" not in room.asked
    assert told(sessions) == [("task_pending", "one")]


def test_the_same_answer_is_told_once_and_another_again(scene):
    sessions, room, checker = scene
    for text in ("no file\n", "no file\n", "it is empty\n"):
        room.answers["one.sh"] = Answer(1, text)
        checker.look_now(ALICE)
    assert told(sessions) == [("task_pending", "one")] * 2


def test_passed_is_final_and_is_not_asked_again(scene):
    sessions, room, checker = scene
    room.answers = passes("one")
    checker.look_now(ALICE)
    room.answers, room.asked = {}, []
    checker.look_now(ALICE)
    assert room.asked == ["two.sh"]
    assert ("task_pending", "one") not in told(sessions)


def test_progress_outlives_the_process(scene, tmp_path):
    sessions, room, checker = scene
    room.answers = passes("one")
    checker.look_now(ALICE)
    told(sessions)
    reborn = Checker(sessions.settings, sessions, Examiner(sessions.settings, machinery=room, terminals=room))
    reborn.look_now(ALICE, after_command=False)
    assert told(sessions) == []
    assert progress.load(sessions.records.progress_path(ALICE)).passed == {"one": "saw one"}


def test_a_check_that_takes_too_long_says_so(scene):
    sessions, room, checker = scene
    room.answers["one.sh"] = Answer(137, "half a li", timed_out=True)
    checker.look_now(ALICE)
    [(_, event)] = sessions.outbox.waiting()
    assert event["payload"]["why"] == "the check took longer than 5 s"


def test_a_fail_script_that_succeeds_breaks_the_task_and_repair_is_told(tmp_path):
    sessions, room = hall(tmp_path)
    entry = task("one", "first", fail={"run": "checks/two.sh", "user": "root", "timeout": 5})
    sessions.create(ALICE, 1, publish(sessions.settings.content_dir, lab_document(tasks=[entry])), False)
    told(sessions)
    checker = Checker(sessions.settings, sessions, Examiner(sessions.settings, machinery=room, terminals=room))
    for answers in (passes("two"), passes("two"), {}, passes("one")):
        room.answers = answers
        checker.look_now(ALICE)
    assert told(sessions) == [("task_broken", "one"), ("task_pending", "one"), ("task_passed", "one")]


def test_a_memory_kill_is_told_once_per_kill(scene):
    sessions, room, checker = scene
    for kills in (0, 1, 1, 3):
        room.boxes[(ALICE, "box")].kills = kills
        checker.look_now(ALICE)
    assert [word for word in told(sessions) if word[0] == "oom"] == [("oom", 1), ("oom", 3)]


def test_a_sandbox_that_is_gone_is_told_once_and_asked_no_more(scene):
    sessions, room, checker = scene
    room.boxes.clear()
    checker.look_now(ALICE)
    checker.look_now(ALICE)
    assert [kind for kind, _ in told(sessions)] == ["exited"]
    assert room.asked == []


def test_a_lab_tests_own_session_is_left_to_the_lab_test(scene):
    sessions, room, checker = scene
    record = sessions.records.find(ALICE)
    record.owner = "labtest:1"
    sessions.records.save(record)
    checker.look_now(ALICE)
    assert room.asked == []


def test_a_stranger_or_a_deleted_session_is_not_looked_at(scene):
    sessions, room, checker = scene
    checker.look_now(BOB)
    sessions.delete(ALICE, False)
    told(sessions)
    checker.look_now(ALICE)
    assert told(sessions) == []


@pytest.mark.parametrize(("output", "line"), [
    ("", ""), ("first\nlast\n", "last"), ("a\n\n\n", "a"), ("\x1b[31mred\x07\n", "[31mred"),
    ("x" * 3000, "x" * 2000), ("Größe\n", "Größe")])
def test_the_last_line_is_made_fit_to_be_shown(output, line):
    assert last_line(output) == line


def test_a_terminal_that_ended_is_told_once_and_its_successor_again(scene):
    sessions, room, checker = scene
    entry = {"conmon_pid": 4194998, "conmon_start_ticks": 1, "parked_fd": 101, "pid": 1, "machine": "box",
             "opened_at": 0.0, "exit_dir": "/nowhere", "container": "c"}
    room.boxes[(ALICE, "box")].state = {"terminals": {"0": entry}}
    for pid in (4194998, 4194998, 4194997):
        entry["conmon_pid"] = pid
        checker.look_now(ALICE)
    assert [word for word in told(sessions) if word[0] == "terminal"] == [("terminal", "closed")] * 2


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def test_marks_in_quick_succession_make_one_look():
    clock = Clock()
    schedule = Schedule(clock)
    for _ in range(10):
        schedule.ask_for(ALICE, 0.15)
        clock.now += 0.01
    clock.now += 0.1
    assert schedule.take(0.5) == ALICE
    assert not schedule._due


def test_a_stream_of_marks_cannot_put_the_look_off():
    clock = Clock()
    schedule = Schedule(clock)
    schedule.ask_for(ALICE, 0.15)
    clock.now += 0.14
    schedule.ask_for(ALICE, 0.15)
    clock.now += 0.02
    assert schedule.take(0.5) == ALICE


def test_in_a_rush_a_look_that_nobody_waits_for_is_put_off_and_not_for_ever():
    clock, rush = Clock(), [True]
    schedule = Schedule(clock, lambda: rush[0])
    schedule.ask_some_time(ALICE)
    schedule.ask_for(BOB)
    clock.now += 1
    assert schedule.take(0.5) == BOB
    assert list(schedule._due) == [ALICE]
    clock.now += HOLD_SECONDS
    assert schedule.take(0.5) == ALICE


@pytest.mark.parametrize("first", ["ask_for", "ask_some_time"])
def test_somebody_who_waits_is_served_in_a_rush_whoever_asked_before(first):
    clock = Clock()
    schedule = Schedule(clock, lambda: True)
    for how in (first, *({"ask_for", "ask_some_time"} - {first})):
        getattr(schedule, how)(ALICE)
    clock.now += 0.1
    assert schedule.take(0.5) == ALICE


def test_a_session_is_never_looked_at_by_two_at_once_but_again_afterwards():
    schedule = Schedule()
    schedule.ask_for(ALICE)
    assert schedule.take(1) == ALICE
    schedule.ask_for(ALICE)
    schedule.ask_for(BOB)
    assert schedule.take(1) == BOB
    assert schedule.take(0.01) is None
    schedule.done(ALICE)
    assert schedule.take(1) == ALICE


def test_a_mark_from_the_bridge_asks_for_a_look_and_rubbish_does_not(scene, tmp_path):
    _, _, checker = scene
    stopped = threading.Event()
    path = tmp_path / "run" / "marks.sock"
    path.parent.mkdir()
    path.touch()  # left behind by a killed process
    receiver = marks.receiver(path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bridge:
        begun = marks.encode(TerminalMark(BOB, 0, is_done=False, text="sleep 1"))
        for datagram in (b"", b"\xff\xfe", b"../../etc", f"{BOB} nonsense".encode(), f'{BOB} {{"a": 1}}'.encode(), begun, ALICE.encode()):
            bridge.sendto(datagram, str(path))
            checker._receive(receiver)
    assert list(checker.schedule._due) == [ALICE]
    stopped.set()
    receiver.close()


def test_due_is_empty_when_all_is_done(tmp_path):
    lab = content.load_lab(tmp_path, publish(tmp_path))
    found = Progress(passed={"one": "", "two": "", "three": ""})
    assert found.due(lab) == []
    assert found.open_step(lab) is None
