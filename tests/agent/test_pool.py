"""Which spares a host keeps: the plan, and the pool's memory of what is in use."""

import uuid
from types import SimpleNamespace

import pytest

from runtime_agent import pool, sandbox, spares
from runtime_agent.capacity import Capacity
from runtime_agent.errors import AgentError
from runtime_agent.pool import KINDS, Held, Pool, plan


def held(*names: str, dead: str = "") -> list[Held]:
    """"a1" is a living spare of key "a"."""
    return [Held(name, name[0], name not in dead.split()) for name in names]


@pytest.mark.parametrize("wanted, spares_there, warm, room, surplus, missing", [
    ("", "", 2, 10, [], None),
    ("a", "", 2, 10, [], "a"),
    ("a", "a1", 2, 10, [], "a"),
    ("a", "a1 a2", 2, 10, [], None),
    ("a", "a1 a2 a3", 2, 10, ["a3"], None),
    ("ab", "a1 a2 b1", 2, 10, [], "b"),
    ("ab", "a1 a2 b1", 2, 3, [], None),
    ("ab", "a1 a2 b1", 2, 2, ["b1"], None),
    ("ba", "a1 a2 b1", 2, 3, ["a2"], "b"),
    ("ab", "a1 b1", 2, 0, ["a1", "b1"], None),
    ("ab", "a1 b1", 2, -1, ["a1", "b1"], None),
    ("a", "a1 x1", 2, 10, ["x1"], "a"),
    ("a", "a1", 0, 10, ["a1"], None),
])
def test_the_plan(wanted, spares_there, warm, room, surplus, missing):
    assert plan(list(wanted), held(*spares_there.split()), warm, room) == (surplus, missing)


def test_a_dead_spare_goes_and_another_is_made():
    assert plan(["a"], held("a1", "a2", dead="a1"), 2, 10) == (["a1"], "a")


@pytest.mark.parametrize("wanted, spares_there, warm, room, surplus, missing", [
    ("ba", "a1 a2 a3 a4", 4, 4, ["a3", "a4"], "b"),
    ("ba", "a1 a2 a3 a4", 4, 8, [], "b"),
    ("ba", "a1 a2 b1 b2", 4, 4, [], None),
    ("ba", "a1 a2 b1 b2", 4, 5, [], "b"),
    ("ba", "a1 a2 a3", 4, 1, ["a1", "a2", "a3"], "b"),
    ("ba", "a1 a2", 1, 8, ["a2"], "b"),
    ("cdefghijka", "a1", 1, 12, [], "c"),
])
def test_the_plan_for_what_was_all_wanted_lately(wanted, spares_there, warm, room, surplus, missing):
    assert plan(list(wanted), held(*spares_there.split()), warm, room, wanted) == (surplus, missing)


class Shelf:
    """``spares`` without a kernel: a list."""

    def __init__(self):
        self.there: list[SimpleNamespace] = []
        self.fails = False

    def make(self, settings, spec):
        if self.fails:
            raise AgentError("disk-full", "none")
        self.there.append(SimpleNamespace(name=str(uuid.uuid4()), key=self.key_of(settings, spec),
                                          is_fit=lambda: True))
        return self.there[-1]

    def discard(self, settings, spare):
        self.there.remove(spare)

    def images(self) -> list[str]:
        return sorted(spare.key for spare in self.there)

    def key_of(self, settings, spec):
        if spec.image == "gone":
            raise AgentError("unknown-image", spec.image)
        return spec.image

    def unclaimed(self, settings):
        return list(self.there)

    def leftovers(self, settings):
        return []

    anonymous = staticmethod(spares.anonymous)


@pytest.fixture
def shelf(monkeypatch):
    shelf = Shelf()
    monkeypatch.setattr(pool, "spares", shelf)
    monkeypatch.setattr(pool, "_free_memory_bytes", lambda: 64 << 30)
    return shelf


def spec(image: str = "base", **fields) -> sandbox.Spec:
    return sandbox.Spec(**{"session_id": str(uuid.uuid4()), "machine": "box", "image": image, "profile": "standard",
                           "user": "root", "hostname": "lab", "memory_bytes": 256 << 20, "pids": 256, "cpus": 0.5,
                           "disk_bytes": 64 << 20, **fields})


def a_pool(places: list, limit: int = 8, warm: int = 2) -> Pool:
    return Pool(SimpleNamespace(warm=warm), Capacity(limit, lambda: set(places)))


def settle(filled: Pool) -> None:
    for _ in range(100):
        if not filled.step():
            return
    raise AssertionError("the pool never comes to rest")


def test_two_sessions_of_one_lab_are_one_kind(shelf):
    filled = a_pool([])
    filled.want(spec())
    filled.want(spec())
    settle(filled)
    assert shelf.images() == ["base", "base"]


def test_spares_go_as_places_are_taken_and_come_back(shelf):
    places = [("s", "1")]
    filled = a_pool(places, limit=3)
    filled.want(spec())
    settle(filled)
    assert len(shelf.there) == 2
    places += [("s", "2"), ("s", "3")]
    settle(filled)
    assert shelf.there == []
    places.clear()
    settle(filled)
    assert len(shelf.there) == 2


def test_a_reader_of_other_lessons_costs_a_class_that_is_about_to_begin_two_spares(shelf, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(pool.time, "monotonic", lambda: now[0])
    filled = a_pool([], limit=30, warm=30)
    filled.want(spec("class"))
    settle(filled)
    for number in range(KINDS + 1):
        filled.want(spec(f"other{number}"))
        settle(filled)
    assert shelf.images().count("class") == 28
    now[0] += pool.LATELY_SECONDS
    filled.want(spec("next class"))
    settle(filled)
    assert shelf.images() == ["next class"] * 30


def test_the_least_recently_used_kind_makes_way(shelf):
    filled = a_pool([], limit=100, warm=1)
    for number in range(KINDS):
        filled.want(spec(f"i{number}"))
    filled.want(spec("i0"))
    filled.want(spec("new"))
    settle(filled)
    assert shelf.images() == ["i0", *(f"i{number}" for number in range(2, KINDS)), "new"]


def test_without_free_memory_nothing_is_made(shelf, monkeypatch):
    needed = pool.FREE_MEMORY_BYTES + (256 << 20)
    filled = a_pool([])
    filled.want(spec())
    monkeypatch.setattr(pool, "_free_memory_bytes", lambda: needed - 1)
    settle(filled)
    assert shelf.there == []
    monkeypatch.setattr(pool, "_free_memory_bytes", lambda: needed)
    settle(filled)
    assert len(shelf.there) == 2


def test_one_that_can_not_be_made_is_not_tried_until_it_is_wanted_again(shelf):
    filled = a_pool([])
    shelf.fails = True
    filled.want(spec())
    settle(filled)
    shelf.fails = False
    settle(filled)
    assert shelf.there == []
    filled.want(spec())
    settle(filled)
    assert len(shelf.there) == 2


def test_an_image_that_has_gone_takes_only_its_kind_along(shelf):
    filled = a_pool([])
    filled.want(spec("gone"))
    filled.want(spec())
    settle(filled)
    assert shelf.images() == ["base", "base"]


def test_the_hosts_free_memory_is_read_in_bytes():
    assert 1 << 20 < pool._free_memory_bytes() < 1 << 46
