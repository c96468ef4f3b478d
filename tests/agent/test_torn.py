"""What a power cut left half written is taken for not written, and stops nothing else."""

import time

import pytest

from runtime_agent import events, pool, progress, settings, spares
from runtime_agent.capacity import Capacity
from runtime_agent.points import Points
from runtime_agent.records import Records
from tests.agent.machine_room import ALICE, BOB
from tests.agent.test_pool import spec
from tests.agent.test_spares import host, lay_down  # noqa: F401  (a fixture)

TORN = ["", "{", "\0\0\0\0"]


@pytest.mark.parametrize("text", TORN)
def test_an_event_that_is_torn_does_not_stop_those_behind_it(tmp_path, text):
    outbox = events.Outbox(tmp_path, "here")
    for number in range(3):
        outbox.emit("oom", ALICE, {"kills": number})
    first = min(tmp_path.glob("*.json"))
    first.write_text(text)
    got = []
    assert outbox.send_now(got.append)
    assert [event["payload"]["kills"] for event in got] == [1, 2]
    assert list(tmp_path.glob("*.json")) == []


@pytest.mark.parametrize("text", TORN)
def test_a_sequence_that_is_torn_goes_on_above_all_it_ever_counted_to(tmp_path, text):
    outbox = events.Outbox(tmp_path, "here")
    outbox.emit("oom", ALICE, {"kills": 1})
    (tmp_path / "sequence").write_text(text)
    time.sleep(0.002)  # a number is a millisecond
    outbox.emit("oom", ALICE, {"kills": 2})
    first, second = (event["seq"] for _, event in outbox.waiting())
    assert second > first


@pytest.mark.parametrize("text", TORN)
def test_a_spare_that_is_torn_is_none_and_is_taken_away(host, text):  # noqa: F811
    whole, torn = lay_down(host, spec()), lay_down(host, spec())
    (host.spares_dir / torn / "state.json").write_text(text)
    assert [spare.name for spare in spares.unclaimed(host)] == [whole]
    assert spares.leftovers(host) == [torn]
    assert pool.Pool(host, Capacity(4, list)).count() == 1
    assert spares.claim(host, spec()).name == whole
    assert spares.claim(host, spec()) is None


@pytest.mark.parametrize("text", TORN)
def test_what_is_known_of_ended_sessions(tmp_path, text):
    records = Records(tmp_path)
    (records.ended_dir / ALICE).write_text(text)
    assert records.ended_generation(ALICE) == -1
    records.disk_path(BOB, "box").write_text("work")
    (records.disks_dir / f"{BOB}.kept.json").write_text(text)
    assert [(kept.session_id, kept.ended_at) for kept in records.kept()] == [(BOB, 0.0)]
    (tmp_path / "progress.json").write_text(text)
    assert progress.load(tmp_path / "progress.json") == progress.Progress()


@pytest.mark.parametrize("text", TORN)
def test_a_point_that_is_torn_is_none(tmp_path, text):
    chosen = settings.load({"BULKHEAD_STATE_DIR": str(tmp_path)})
    for number in (1, 2):
        folder = chosen.agent_dir / "points" / ALICE / f"{number:02d}"
        folder.mkdir(parents=True)
        (folder / "point.json").write_text('{"step": "one", "bytes": 5, "taken_at": 1}' if number == 1 else text)
    points = Points(chosen)
    points.clean_up()
    assert [point["number"] for point in points.list(ALICE)] == [1]
    assert points.sizes() == {ALICE: 5}
