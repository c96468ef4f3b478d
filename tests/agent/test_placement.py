"""Which host takes what: labels, images, wishes and claims."""

import json

import pytest
import redis

from runtime_agent import fleet, settings
from runtime_agent.claims import Claims
from runtime_agent.placement import Placement


def lab(**machine):
    return {"machines": {"box": machine}}


@pytest.mark.parametrize(("found", "needs", "queue"), [
    (lab(), set(), "sandboxes"),
    (lab(image="base", profile="standard"), set(), "sandboxes"),
    (lab(image="engines", profile="nested"), {"nested", "image-engines"}, "sandboxes.image-engines+nested"),
    (lab(image="vm"), {"vm", "image-vm"}, "sandboxes.image-vm+vm")])
def test_a_lab_waits_where_only_hosts_that_can_run_it_look(found, needs, queue):
    assert fleet.needs_of(found) == needs
    assert fleet.queue_of(needs) == queue
    assert fleet.needs_of_queue(queue) == needs
    assert fleet.needs_of_queue("agent.w1") is None


@pytest.fixture
def placement(tmp_path):
    """A host with base and engines and no label for virtual machines."""
    chosen = settings.load({"BULKHEAD_STATE_DIR": str(tmp_path), "BULKHEAD_LABELS": "nested", "BULKHEAD_HOST": "w1"})
    chosen.agent_dir.mkdir()
    found = Placement(chosen, lambda _: ["base", "engines", "vm"])
    found.queues |= {"sandboxes.image-engines+nested", "sandboxes.image-vm+vm", "sandboxes.gpu", "sandboxes.nested", "web"}
    return found


def test_a_host_takes_what_its_labels_and_images_allow(placement):
    assert placement.wanted() == {"sandboxes", "sandboxes.image-engines+nested", "sandboxes.nested"}


def test_a_host_without_its_first_image_takes_nothing(placement):
    placement.installed = lambda _: []
    assert placement.wanted() == set()


def test_a_wish_closes_and_opens_and_survives_a_restart(placement):
    placement.take({"generation": 1, "is_open": False})
    assert placement.wanted() == set()
    reborn = Placement(placement.settings, placement.installed)
    assert not reborn.is_open
    reborn.take({"generation": 2, "is_open": True})
    assert reborn.wanted()


def test_an_older_wish_changes_nothing(placement):
    placement.take({"generation": 5, "is_open": False})
    placement.take({"generation": 4, "is_open": True})
    placement.take({"generation": 5, "is_open": True})
    assert not placement.is_open


class Bus:
    """Names and wish, as the site wrote them."""

    def __init__(self, names=(), wish=None):
        self.names, self.wish = names, wish

    def smembers(self, _key):
        return {name.encode() for name in self.names}

    def get(self, _key):
        return self.wish


@pytest.mark.parametrize("wish", [b"not json", b"[]", b'{"generation": "x"}', b'{"generation": 3}'])
def test_a_wish_that_is_none_is_ignored(placement, wish):
    placement.look(Bus(wish=wish))
    assert placement.is_open


def test_queues_and_wish_are_read_from_the_bus(placement):
    placement.look(Bus(["sandboxes.nested+image-engines", "sandboxes.image-base"],
                       json.dumps({"generation": 1, "is_open": True}).encode()))
    assert "sandboxes.image-base" in placement.wanted()


@pytest.mark.parametrize(("labels", "found"), [("nested,vm", ("nested", "vm")), ("none", ()), ("gpu", ("gpu",))])
def test_labels_are_a_setting(tmp_path, labels, found):
    assert settings.load({"BULKHEAD_LABELS": labels}).labels == found


@pytest.mark.parametrize("labels", ["Nested", "a b", "a,,b", "-x"])
def test_a_label_of_another_form_stops_the_agent(labels):
    with pytest.raises(settings.SettingsError, match="BULKHEAD_LABELS"):
        settings.load({"BULKHEAD_LABELS": labels})


class OneHash:
    """Redis' SET NX, GET and DEL."""

    def __init__(self):
        self.values = {}

    def set(self, name, value, nx, ex):
        return None if name in self.values else self.values.setdefault(name, value.encode())

    def get(self, name):
        return self.values.get(name)

    def delete(self, name):
        self.values.pop(name, None)


def test_one_run_is_one_hosts_and_a_run_given_back_is_anybodys(monkeypatch):
    shared = OneHash()
    monkeypatch.setattr(redis.Redis, "from_url", lambda *_, **__: shared)
    one, two = (Claims(settings.load({"BULKHEAD_HOST": name})) for name in ("w1", "w2"))
    assert one.claim("s", 0) is None
    assert one.claim("s", 0) is None, "a create delivered twice to one host is its own"
    assert two.claim("s", 0) == "w1"
    assert two.claim("s", 1) is None, "a new run is another one"
    two.release("s", 0)
    assert two.claim("s", 0) == "w1", "nobody gives back what is not theirs"
    one.release("s", 0)
    assert two.claim("s", 0) is None
