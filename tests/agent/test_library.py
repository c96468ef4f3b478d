"""Bundles on a joined host: what is believed, what is refused and why, and what is cleaned away when."""

import json
import os
import shutil
import time

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from runtime_agent import content, fleet, settings
from runtime_agent.errors import AgentError
from runtime_agent.library import YOUNG_SECONDS, Library
from runtime_agent.protocol import ProtocolError
from tests.agent.labs import lab_document

RECIPES = {"base/packages": b"bash\n", "base/setup.sh": b"true\n"}


class Bus(dict):
    """Redis, as far as a library asks it."""

    def __init__(self):
        super().__init__()
        self.key = Ed25519PrivateKey.generate()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def publish(self, serial, *labs, recipes=None, key=None, changes=None):
        bundles = [*labs, recipes or RECIPES]
        for files in bundles:
            self[fleet.bundle_key(fleet.digest_of(files))] = fleet.pack(files)
        names = [fleet.digest_of(files) for files in bundles]
        text = json.dumps({"version": fleet.VERSION, "serial": serial, "at": 0, "labs": names[:-1], "recipes": names[-1], **(changes or {})})
        signature = (key or self.key).sign(fleet.signed_bytes("catalog", text)).hex()
        self[fleet.CATALOG_KEY] = json.dumps({"message": text, "signature": signature}).encode()
        return names[:-1]


def lab(word):
    return {"lab.json": json.dumps(lab_document(lesson=word)).encode(), "checks/one.sh": b"exit 0\n",
            "checks/two.sh": b"exit 0\n", "checks/three.sh": b"exit 0\n"}


@pytest.fixture
def bus():
    return Bus()


@pytest.fixture
def library(tmp_path, bus, monkeypatch):
    chosen = settings.load({"BULKHEAD_STATE_DIR": str(tmp_path)})
    chosen.site_dir.mkdir(parents=True)
    public = bus.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()
    (chosen.site_dir / "site.json").write_text(json.dumps({"url": "x", "name": "w1", "site_key": public}))
    joined = settings.load({"BULKHEAD_STATE_DIR": str(tmp_path)})
    assert joined.is_joined and joined.host == "w1"
    found = Library(joined)
    monkeypatch.setattr(found, "_bus", lambda: bus)
    return found


def labs_on(library):
    folder = library.settings.content_dir
    return {path.name for path in folder.iterdir()} if folder.is_dir() else set()


def test_the_host_has_exactly_what_the_site_publishes(library, bus):
    digests = bus.publish(1, lab("a"), lab("b"))
    library.bring_up_to_date(bus)
    assert labs_on(library) == set(digests)
    assert (library.settings.content_dir / digests[0] / "checks" / "one.sh").read_bytes() == b"exit 0\n"
    recipes = library.settings.agent_dir / "recipes" / "current"
    assert (recipes / "base" / "packages").read_bytes() == b"bash\n"
    assert library.describe() == {"serial": 1, "labs": 2, "refused": ""}


def test_a_lab_that_came_as_a_bundle_is_read_like_any_other(library, bus):
    [digest] = bus.publish(1, lab("a"))
    library.ensure(digest)
    assert content.load_lab(library.settings.content_dir, digest).lesson == "a"


def test_what_another_key_signed_is_refused_and_nothing_changes(library, bus):
    [first] = bus.publish(1, lab("a"))
    library.bring_up_to_date(bus)
    bus.publish(2, lab("evil"), key=Ed25519PrivateKey.generate())
    library.bring_up_to_date(bus)
    assert labs_on(library) == {first}
    assert library.refused.startswith("bad-signature")


def test_an_older_catalogue_is_refused_with_its_number(library, bus):
    bus.publish(7, lab("a"))
    library.bring_up_to_date(bus)
    bus.publish(6, lab("withdrawn"))
    library.bring_up_to_date(bus)
    assert library.refused == "old-catalog: it is number 6, this host has 7"
    assert library.catalog()["serial"] == 7
    reborn = Library(library.settings)
    reborn.bring_up_to_date(bus)
    assert reborn.refused.startswith("old-catalog"), "a restart forgets nothing"
    bus.publish(8, lab("b"))
    library.bring_up_to_date(bus)
    assert (library.refused, library.catalog()["serial"]) == ("", 8)


@pytest.mark.parametrize("body", [
    b"", b"no zlib", fleet.pack({"lab.json": b"{}"}), fleet.pack({**lab("a"), "checks/one.sh": b"rm -rf /\n"}), None])
def test_a_tampered_bundle_is_refused_and_is_not_half_there(library, bus, body):
    [digest] = bus.publish(1, lab("a"))
    if body is None:
        del bus[fleet.bundle_key(digest)]
    else:
        bus[fleet.bundle_key(digest)] = body
    library.bring_up_to_date(bus)
    assert library.refused.startswith("bad-bundle")
    assert labs_on(library) == set()
    with pytest.raises(AgentError) as caught:
        library.ensure(digest)
    assert caught.value.reason == "unknown-lab"
    assert "bad-bundle" in str(caught.value)


@pytest.mark.parametrize("path", ["../../etc/passwd", "/etc/passwd", "a//b", ".hidden", "a/../b", "", "a\0b", "a/b/c/d/e/f/g"])
def test_a_path_that_leads_elsewhere_is_no_path(path):
    files = {path: b"x"}
    with pytest.raises(ProtocolError) as caught:
        fleet.unpack(fleet.pack(files), fleet.digest_of(files))
    assert caught.value.reason == "bad-bundle"


def test_a_bundle_that_would_unpack_to_too_much_is_refused():
    files = {"zeros": bytes(fleet.MAX_UNPACKED_BYTES)}
    body = fleet.pack(files)
    assert len(body) < 1 << 20
    with pytest.raises(ProtocolError, match="too large"):
        fleet.unpack(body, fleet.digest_of(files))


@pytest.mark.parametrize("changes", [{"version": 99}, {"labs": ["../x"]}, {"labs": 5}, {"serial": None}, {"recipes": ""}])
def test_a_signed_catalogue_of_another_form_is_refused(library, bus, changes):
    bus.publish(1, lab("a"), changes=changes)
    library.bring_up_to_date(bus)
    assert library.refused.startswith("bad-catalog")
    assert labs_on(library) == set()


def test_an_old_lab_stays_while_a_session_uses_it_and_goes_then(library, bus):
    [old] = bus.publish(1, lab("a"))
    library.in_use = lambda: [old]
    library.bring_up_to_date(bus)
    [new] = bus.publish(2, lab("b"))
    long_ago = time.time() - YOUNG_SECONDS - 1
    os.utime(library.settings.content_dir / old, (long_ago, long_ago))
    library.bring_up_to_date(bus)
    assert labs_on(library) == {old, new}
    library.in_use = lambda: []
    library.bring_up_to_date(bus)
    assert labs_on(library) == {new}


def test_a_lab_whose_removal_was_cut_short_is_whole_when_it_is_published_again(library, bus, monkeypatch):
    [old] = bus.publish(1, lab("a"))
    library.bring_up_to_date(bus)
    long_ago = time.time() - YOUNG_SECONDS - 1
    os.utime(library.settings.content_dir / old, (long_ago, long_ago))
    bus.publish(2, lab("b"))
    with monkeypatch.context() as killed:
        killed.setattr(shutil, "rmtree", lambda path, **_: (path / "lab.json").unlink(missing_ok=True))
        library.bring_up_to_date(bus)
    digests = bus.publish(3, lab("a"), lab("b"))
    library.bring_up_to_date(bus)
    assert content.load_lab(library.settings.content_dir, old).lesson == "a"
    for leftover in library.settings.content_dir.glob(".*"):
        os.utime(leftover, (long_ago, long_ago))
    library.bring_up_to_date(bus)
    assert labs_on(library) == set(digests)


def test_new_recipes_are_told_once(library, bus):
    told = []
    library.on_new_recipes = lambda: told.append(1)
    bus.publish(1, lab("a"))
    for _ in range(2):
        library.bring_up_to_date(bus)
    bus.publish(2, lab("a"), recipes={**RECIPES, "base/packages": b"bash\nzsh\n"})
    library.bring_up_to_date(bus)
    assert len(told) == 2
    assert (library.settings.agent_dir / "recipes/current/base/packages").read_bytes() == b"bash\nzsh\n"


def test_a_lab_that_the_site_does_not_publish_is_unknown(library, bus):
    bus.publish(1, lab("a"))
    with pytest.raises(AgentError) as caught:
        library.ensure("0" * 64)
    assert caught.value.reason == "unknown-lab"
