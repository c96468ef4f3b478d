"""What the site notes of opened lessons reaches the pool, once, the latest last."""

from dataclasses import replace

import pytest

from runtime_agent import opened, settings
from runtime_agent.spares import NOBODY
from tests.agent.labs import lab_document, publish


class Notes:
    """The sorted set ``bulkhead:opened``, as redis-py answers."""

    def __init__(self):
        self.at: dict[str, float] = {}

    def zrangebyscore(self, key, low, high, withscores):
        after = float(low.removeprefix("("))
        return [(digest.encode(), at) for digest, at in sorted(self.at.items(), key=lambda item: item[1]) if at > after]


@pytest.fixture
def scene(tmp_path):
    host = settings.load({"BULKHEAD_STATE_DIR": str(tmp_path)})
    host.content_dir.mkdir()
    return host, Notes(), []


def look(scene, since):
    host, notes, wanted = scene
    wanted.clear()
    return opened.look(notes, host, wanted.append, since)


def test_every_machine_of_an_opened_lab_is_wanted_for_nobody_yet(scene):
    digest = publish(scene[0].content_dir)
    scene[1].at[digest] = 5.0
    assert look(scene, 4.0) == 5.0
    assert [(spec.machine, spec.session_id) for spec in scene[2]] == [("box", NOBODY)]
    assert scene[2][0].checks_dir == scene[0].content_dir / digest / "checks"


def test_what_was_told_is_not_told_again(scene):
    scene[1].at[publish(scene[0].content_dir)] = 5.0
    assert look(scene, 5.0) == 5.0
    assert scene[2] == []


def test_the_lesson_opened_last_is_told_last(scene):
    other = lab_document(lesson="other")
    first, second = publish(scene[0].content_dir), publish(scene[0].content_dir, other)
    scene[1].at = {first: 2.0, second: 1.0}
    look(scene, 0.0)
    assert [spec.checks_dir.parent.name for spec in scene[2]] == [second, first]


@pytest.mark.parametrize("nonsense", ["", "../../etc", "0" * 64])
def test_nonsense_is_passed_over(scene, nonsense):
    good = publish(scene[0].content_dir)
    scene[1].at = {nonsense: 1.0, good: 2.0}
    assert look(scene, 0.0) == 2.0
    assert len(scene[2]) == 1


def test_a_lab_that_gvisor_would_run_is_not_wanted(scene):
    host, notes, wanted = scene
    notes.at[publish(host.content_dir)] = 1.0
    look((replace(host, standard_runtime="runsc"), notes, wanted), 0.0)
    assert wanted == []
