"""What is kept of a session's past: events, coarse documents, their bounds, and when a session is looked at for it."""

import json
from types import SimpleNamespace

import pytest

from runtime_agent.marks import TerminalMark
from runtime_agent.records import Record, Records
from runtime_agent.xray import cgroups, history, looks, news, patch
from runtime_agent.xray.historian import REST_SECONDS, ROUND_SECONDS, RUSH_SPACING_SECONDS, SPACING_SECONDS, Historian
from runtime_agent.xray.history import History
from tests.agent.machine_room import ALICE, BOB, Box


def group(path="/", oom=0, refused=0, throttled=0.0, **limits):
    def limit(name, of):
        return {name: limits[of]} if of in limits else {}

    return {"path": path, "memory": {"oom_kills": oom, **limit("limit_bytes", "memory")},
            "pids": {"refused": refused, **limit("limit", "pids")},
            "cpu": {"throttled_seconds": throttled, **limit("limit_cpus", "cpu")}}


def machine(*comms, **groups):
    return {"processes": {str(pid): {"pid": pid, "comm": comm} for pid, comm in enumerate(comms, 7)},
            "cgroups": {one["path"]: one for one in groups.values()}}


def kinds(before, after):
    return [(one["kind"], one["what"], one.get("limit")) for one in news.between(before, after)]


def test_births_and_deaths_are_news():
    old = machine("init", "sh") | {"namespaces": {"uts:5": {"type": "uts", "id": 5}}}
    new = machine("init") | {"engines": {"9:oci": {"kind": "oci", "name": "demo"}}, "cgroups": {"/small": group("/small")}}
    assert kinds(old, new) == [("namespace-gone", "uts:[5]", None), ("process-gone", "sh 8", None),
                               ("engine-new", "oci demo", None), ("group-new", "/small", None)]


def test_a_process_that_runs_another_program_is_news():
    [one] = news.between(machine("init", "unshare"), machine("init", "sh"))
    assert one == {"kind": "process-exec", "what": "unshare 8", "type": "pid", "became": "sh"}


@pytest.mark.parametrize(("changed", "kind", "limit"), [
    ({"oom": 1}, "oom", 64), ({"refused": 2}, "refused", 10), ({"throttled": 0.06}, "throttled", 0.5)])
def test_what_a_limit_did_is_told_with_the_limit_that_holds(changed, kind, limit):
    around = group("/..", memory=64, pids=10, cpu=0.5)
    assert kinds(machine(around=around, own=group()), machine(around=around, own=group(**changed))) == [(kind, "/", limit)]


def test_a_moment_of_waiting_for_the_cpu_is_no_news_and_a_moved_limit_is():
    assert kinds(machine(own=group()), machine(own=group(throttled=0.05))) == []
    assert kinds(machine(own=group(memory=64)), machine(own=group(memory=96))) == [("limit-memory", "/", 96)]
    assert kinds(machine(own=group(pids=10)), machine(own=group())) == [("limit-pids", "/", None)]


def documents(kept):
    """What a panel rebuilds of the frames."""
    document, found = {}, []
    for at, change in json.loads(kept.body(0))["frames"]:
        document = patch.apply(document, change)
        found.append((at, document))
    return found


def test_frames_hold_every_change_and_quiet_numbers_seldom():
    kept = History(1)
    kept.note({"box": machine("init")}, 1000)
    kept.note({"box": machine("init", "sh")}, 2000)
    kept.note({"box": machine("init", "sh") | {"free": 1}}, 3000)
    kept.note({"box": machine("init", "sh") | {"free": 2}}, 2000 + history.QUIET_MS)
    assert documents(kept) == [(1000, {"box": machine("init")}), (2000, {"box": machine("init", "sh")}),
                               (2000 + history.QUIET_MS, {"box": machine("init", "sh") | {"free": 2}})]
    assert [(one["at"], one["kind"], one["what"], one["machine"]) for one in kept.events.values()] == [(2000, "process-new", "sh 8", "box")]


def test_a_command_is_told_when_it_begins_and_its_status_when_it_ends():
    kept = History(1)
    kept.begin_command(0, "sleep 1", 1000)
    kept.begin_command(1, "false", 1100)
    told = kept.events
    kept.end_command(1, 1, 1200)
    kept.end_command(0, 0, 2500)
    kept.end_command(0, 0, 2600)
    assert "status" not in told["1"], "a document on its way is not changed"
    assert [(one["what"], one["status"], one["seconds"]) for one in kept.events.values()] == [("sleep 1", 0, 1.5), ("false", 1, 0.1)]


def test_a_frame_too_many_thins_the_older_half_and_keeps_both_ends(monkeypatch):
    monkeypatch.setattr(history, "MAX_FRAME_BYTES", 4000)
    kept = History(1)
    for number in range(400):
        kept.note({"box": machine("init", *["sh"] * (number % 7), f"x{number}")}, number * 1000)
    found = documents(kept)
    assert kept.frame_bytes() <= 4000
    assert (found[0][0], found[-1]) == (0, (399_000, kept.machines))
    gaps = [after[0] - before[0] for before, after in zip(found, found[1:], strict=False)]
    assert max(gaps[:3]) > max(gaps[-3:]) == 1000


def test_a_sandbox_too_large_for_the_bound_has_events_and_no_frames(monkeypatch):
    monkeypatch.setattr(history, "MAX_FRAME_BYTES", 300)
    kept = History(1)
    for number in range(5):
        kept.note({"box": machine(*["a-long-name"] * (20 + number))}, number)
    assert (kept.frames, len(kept.events)) == ([], 4)


def test_events_about_single_processes_go_first(monkeypatch):
    monkeypatch.setattr(history, "MAX_EVENTS", 3)
    kept = History(1)
    kept.begin_command(0, "first", 0)
    kept.note({"box": machine("init")}, 1)
    kept.note({"box": machine("init", "a", "b", "c")}, 2)
    kept.begin_command(0, "last", 3)
    assert [one["what"] for one in kept.events.values()] == ["first", "c 10", "last"]


def test_what_is_written_is_what_is_read():
    kept = History(3)
    kept.note({"box": machine("init")}, 1000)
    kept.note({"box": machine("init", "sh")}, 2000)
    kept.begin_command(0, "ls", 2500)
    again = History.from_text(kept.to_text())
    assert (again.generation, again.events, again.frames, again.machines) == (3, kept.events, kept.frames, kept.machines)
    again.note({"box": machine("init")}, 3000)
    assert documents(again)[-1] == (3000, {"box": machine("init")})


@pytest.fixture
def scene(tmp_path, monkeypatch):
    """Alice's session, a clock, and processes that the test sets."""
    records = Records(tmp_path)
    records.save(Record(ALICE, 1, "d", state="ready"))
    (records.sandboxes_dir / ALICE / "box").mkdir()
    world = SimpleNamespace(now=100.0, pids=[7], looks=[], watched=False, rush=False, records=records)
    monkeypatch.setattr(cgroups, "pids", lambda group: world.pids)
    monkeypatch.setattr(looks, "group_of", lambda box: None)

    def collect(box, parts):
        world.looks.append((world.now, "mounts" in parts))
        return {"init": {"pid": 7}, "processes": [{"pid": pid, "comm": "sh"} for pid in world.pids]}

    def historian():
        return Historian(SimpleNamespace(), records, collect=collect, find=lambda settings, session, name: Box(session, name),
                         clock=lambda: world.now, now=lambda: int(world.now * 1000), is_watched=lambda session_id: world.watched,
                         is_rush=lambda: world.rush)
    world.historian, world.again = historian(), historian

    def wait(seconds):
        """That long with a round of the thread every half second; how many looks there were."""
        before = len(world.looks)
        for _ in range(int(seconds * 2)):
            world.now += 0.5
            world.historian.look_around()
        return len(world.looks) - before
    world.wait = wait
    return world


def kept_of(scene):
    return scene.historian.subjects[ALICE].history


def test_a_session_at_rest_is_looked_at_once_a_minute(scene):
    assert scene.wait(1) == 1
    assert scene.wait(REST_SECONDS * 5) <= 6


def test_changed_processes_are_seen_at_rest_within_a_round(scene):
    scene.wait(1)
    scene.pids = [7, 9]
    assert scene.wait(ROUND_SECONDS + 0.5) == 1
    assert [one["what"] for one in kept_of(scene).events.values()] == ["sh 9"]


def test_the_end_of_a_command_is_looked_at_soon_but_not_again_and_again(scene):
    scene.wait(5)
    scene.historian.take(TerminalMark(ALICE, 0, is_done=False, text="unshare -u"))
    scene.historian.take(TerminalMark(ALICE, 0, status=0))
    assert scene.wait(1) == 1
    for _ in range(40):
        scene.historian.take(TerminalMark(ALICE, 0, status=0))
        scene.wait(0.5)
    assert len(scene.looks) <= 3 + 20 / SPACING_SECONDS
    assert [(one["kind"], one["status"]) for one in kept_of(scene).events.values()] == [("command", 0)]


def test_in_a_rush_looks_are_rare(scene):
    scene.rush = True
    assert scene.wait(RUSH_SPACING_SECONDS - SPACING_SECONDS - 1) == 0
    for _ in range(80):
        scene.historian.take(TerminalMark(ALICE, 0, status=0))
        scene.wait(0.5)
    assert 1 <= len(scene.looks) <= 1 + 40 / RUSH_SPACING_SECONDS


def test_while_a_panel_is_open_its_looks_are_noted_and_none_is_made(scene):
    scene.watched = True
    assert scene.wait(30) == 0
    events = scene.historian.note(ALICE, {"box": machine("init")})
    events = scene.historian.note(ALICE, {"box": machine("init", "sh")})
    assert [one["what"] for one in events.values()] == ["sh 8"]
    assert len(json.loads(scene.historian.body(ALICE))["frames"]) == 2


def test_a_history_outlives_the_agent_and_ends_with_its_session(scene):
    scene.wait(1)
    scene.historian.take(TerminalMark(ALICE, 0, is_done=False, text="ls"))
    scene.historian.save()
    scene.historian = scene.again()
    scene.wait(1)
    assert [one["what"] for one in kept_of(scene).events.values()] == ["ls"]
    scene.records.save(Record(ALICE, 2, "d", state="ready"))
    scene.wait(ROUND_SECONDS)
    assert kept_of(scene).events == {}, "a new sandbox has a past of its own"
    scene.records.remove(ALICE, keep=True)
    scene.wait(ROUND_SECONDS)
    assert scene.historian.subjects == {}
    assert not scene.records.history_path(ALICE).exists()


def test_a_session_deleted_while_its_history_is_written_does_not_come_back(scene, monkeypatch):
    scene.wait(1)
    (scene.records.sandboxes_dir / ALICE / "box").rmdir()
    find, answers = scene.records.find, iter([True])
    monkeypatch.setattr(scene.records, "find", lambda session_id: next(answers, None) or find(session_id))
    (scene.records.sandboxes_dir / ALICE / "session.json").unlink()
    kept_of(scene).is_saved = False
    scene.historian.save()
    assert not (scene.records.sandboxes_dir / ALICE).exists()


def test_a_session_begun_again_while_its_history_is_written_keeps_its_record_and_progress(scene, monkeypatch):
    scene.wait(1)
    find, asked = scene.records.find, []

    def find_and_begin_again(session_id):
        """The second time just between a delete and the create after it."""
        asked.append(session_id)
        if len(asked) != 2:
            return find(session_id)
        scene.records.remove(session_id, keep=True)
        scene.records.save(Record(ALICE, 2, "d"))
        scene.records.progress_path(ALICE).write_text("{}")
        return None
    monkeypatch.setattr(scene.records, "find", find_and_begin_again)
    kept_of(scene).is_saved = False
    scene.historian.save()
    assert len(asked) == 2 and find(ALICE).generation == 2
    assert scene.records.progress_path(ALICE).exists()


@pytest.mark.parametrize("rubbish", ["", "{", "[]", '{"generation": 1}'])
def test_a_file_that_can_not_be_read_is_no_history(scene, rubbish):
    scene.records.history_path(ALICE).write_text(rubbish)
    assert scene.wait(1) == 1
    assert kept_of(scene).events == {}


def test_marks_of_sessions_that_are_not_here_are_none(scene):
    scene.historian.take(TerminalMark(BOB, 0, is_done=False, text="ls"))
    assert scene.historian.note(BOB, {}) == {}
    assert json.loads(scene.historian.body(BOB))["frames"] == []
    assert BOB not in scene.historian.subjects
