"""Claiming a spare: once, atomically, and only one that is what would be made now. Files only; no container runs."""

import os
import shutil
import threading
import time
import uuid
from dataclasses import replace

import pytest

from runtime_agent import images, proc, rootfs, sandbox, settings, slots, spares, state
from runtime_agent.errors import AgentError
from tests.agent.labs import publish
from tests.agent.test_pool import spec


@pytest.fixture
def host(tmp_path):
    """Settings with an image ``base`` and what the agent shows its sandboxes."""
    chosen = settings.load({"BULKHEAD_STATE_DIR": str(tmp_path), "BULKHEAD_RUNTIME": "crun"})
    install(chosen, "v1")
    (chosen.guest_dir / "etc").mkdir(parents=True)
    (chosen.guest_dir / "etc" / "bashrc").write_bytes((images.GUEST_FILES / "bashrc").read_bytes())
    (chosen.guest_dir / ".complete").touch()
    return chosen


def install(chosen, version):
    home = chosen.images_dir / "base"
    (home / version / "rootfs").mkdir(parents=True)
    (home / "current").unlink(missing_ok=True)
    (home / "current").symlink_to(version)


def lay_down(host, wanted, pid=None):
    """A spare as ``spares.make`` writes it, whose processes are this one (or ``pid``)."""
    own = replace(wanted, session_id=str(uuid.uuid4()))
    home = host.spares_dir / own.name
    home.mkdir(parents=True)
    me, ticks = os.getpid(), proc.start_ticks(os.getpid())
    state.save(home, {
        "container": own.name, "key": spares.key_of(host, wanted), "spec": own.to_state(), "runtime": "crun",
        "waiting_pid": pid or me, "waiting_start_ticks": ticks, "conmon_pid": me, "start_time_ticks": ticks,
        "made_at": time.time(), "slot": 0})
    return own.name


def test_a_claim_names_the_container_in_the_sessions_state_and_it_is_not_alive_yet(host):
    wanted, name = spec(), lay_down(host, spec())
    assert spares.claim(host, wanted).name == name
    assert sandbox.container(host, wanted.session_id, "box") == name
    assert sandbox.find(host, wanted.session_id, "box") is None
    assert sandbox.group(host, wanted.session_id, "box").name == f"{host.cgroup}/{name[:36]}/box"
    assert spares.unclaimed(host) == []
    assert spares.leftovers(host) == [], "a claimed spare's folder is the session's"


def test_a_spare_is_claimed_once(host):
    lay_down(host, spec())
    assert spares.claim(host, spec())
    assert spares.claim(host, spec()) is None


def test_the_oldest_is_listed_first(host):
    names = [lay_down(host, spec()) for _ in range(3)]
    for age, name in enumerate(names):
        state.save(host.spares_dir / name, {**state.load(host.spares_dir / name), "made_at": time.time() - age})
    assert [spare.name for spare in spares.unclaimed(host)] == names[::-1]


def test_one_that_is_too_old_is_not_given_out(host):
    name = lay_down(host, spec())
    state.save(host.spares_dir / name, {**state.load(host.spares_dir / name), "made_at": time.time() - spares.MAX_AGE_SECONDS})
    assert spares.claim(host, spec()) is None


def test_of_many_threads_each_gets_another_one_or_none(host):
    names = {lay_down(host, spec()) for _ in range(5)}
    claimed, barrier = [], threading.Barrier(12)

    def claim():
        barrier.wait()
        claimed.append(spares.claim(host, spec()))

    threads = [threading.Thread(target=claim) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    got = [spare.name for spare in claimed if spare]
    assert sorted(got) == sorted(names)


@pytest.mark.parametrize("other", [
    {"image": "other"}, {"profile": "nested"}, {"memory_bytes": 1}, {"pids": 1}, {"cpus": 1.0}, {"disk_bytes": 1},
    {"user": "student"}, {"hostname": "elsewhere"}, {"machine": "peer"}, {"checks_dir": __file__}])
def test_only_the_same_kind_fits(host, other):
    (host.images_dir / "other").symlink_to("base")
    lay_down(host, spec())
    if "checks_dir" in other:
        other = {"checks_dir": host.content_dir / publish(host.content_dir) / "checks"}
    assert spares.claim(host, spec(**other)) is None
    assert spares.claim(host, spec())


def test_a_rebuilt_image_makes_a_spare_stale(host):
    lay_down(host, spec())
    install(host, "v2")
    assert spares.claim(host, spec()) is None


def test_a_lab_that_was_withdrawn_and_published_again_makes_a_spare_stale(host):
    """What the spare has mounted is the former folder, and empty."""
    folder = host.content_dir / publish(host.content_dir)
    lay_down(host, wanted := spec(checks_dir=folder / "checks"))
    shutil.copytree(folder, host.content_dir / "again")
    shutil.rmtree(folder)
    with pytest.raises(AgentError, match="withdrawn"):
        spares.key_of(host, wanted)
    (host.content_dir / "again").rename(folder)
    assert spares.claim(host, wanted) is None
    lay_down(host, wanted)
    assert spares.claim(host, wanted)


def test_what_is_leased_for_a_spare_is_found_by_its_folder(host, monkeypatch):
    """Whoever makes it may be killed right after."""
    def lease(settings, owner):
        assert spares.leftovers(settings) == [owner]
        raise AgentError("host-full", "none is free")
    monkeypatch.setattr(slots, "lease", lease)
    monkeypatch.setattr(spares.teardown, "dismantle", lambda settings, name, home: None)
    with pytest.raises(AgentError, match="none is free"):
        spares.make(host, spec())
    assert spares.leftovers(host) == []


def test_of_one_whose_maker_was_killed_nothing_is_left_on_the_disk(host, monkeypatch):
    """Not even the file system that was just being made."""
    def killed(*_, **__):
        raise SystemExit
    monkeypatch.setattr(rootfs.subprocess, "run", killed)
    monkeypatch.setattr(spares.teardown, "dismantle", lambda settings, name, home: None)
    monkeypatch.setattr(rootfs, "FREE_BYTES_WATERMARK", 0)
    with pytest.raises(SystemExit):
        spares.make(host, spec())
    assert [*host.disks_dir.iterdir(), *host.spares_dir.iterdir()] == []


def test_another_runtime_makes_a_spare_stale(host):
    lay_down(host, spec())
    assert spares.claim(replace(host, runtime="runc"), spec()) is None


def test_other_rules_of_the_agent_make_a_spare_stale(host, monkeypatch):
    lay_down(host, spec())
    monkeypatch.setattr(spares.profiles, "MASKED", ["/proc/kcore"])
    spares._configuration.cache_clear()
    assert spares.claim(host, spec()) is None
    spares._configuration.cache_clear()


def test_one_whose_process_has_ended_is_not_given_out(host):
    lay_down(host, spec(), pid=4194999)
    assert spares.claim(host, spec()) is None
    assert len(spares.unclaimed(host)) == 1, "it stays for the pool to remove"


def test_one_that_was_discarded_can_not_be_claimed_nor_the_other_way_round(host, monkeypatch):
    gone = []
    monkeypatch.setattr(spares.teardown, "discard_spare", lambda settings, name: gone.append(name))
    first, second = lay_down(host, spec()), lay_down(host, spec())
    by_name = {spare.name: spare for spare in spares.unclaimed(host)}
    assert spares.discard(host, by_name[first])
    assert spares.claim(host, spec()).name == second
    assert not spares.discard(host, by_name[second])
    assert gone == [first]
    assert spares.leftovers(host) == [first], "a kill here leaves it for the next look"


def test_what_was_never_finished_is_a_leftover(host):
    (host.spares_dir / f"{uuid.uuid4()}-box").mkdir(parents=True)
    assert len(spares.leftovers(host)) == 1
