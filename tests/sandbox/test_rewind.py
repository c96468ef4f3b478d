"""Points on real disks: what comes back, what the terminal feels of it, and what a kill or a full disk leaves."""

from __future__ import annotations

import os
import select
import threading
import time

import pytest

from runtime_agent import diskcopy, mountapi, protocol, rootfs, sandbox, spawn
from runtime_agent.diskcopy import Skipped, Source
from runtime_agent.points import Points
from tests.agent.labs import lab_document, publish, task
from tests.instance import PATIENCE, wait_until
from tests.sandbox.stage import agent as running_agent
from tests.sandbox.test_control import keyboard

pytestmark = pytest.mark.sandbox
ECHO_MS = 150
"""Far below what a person takes for a hang, far above the noise of a shared machine."""


def source(settings, box) -> Source:
    return Source(box.machine, rootfs.disk_path(settings, box.spec.name), rootfs.disk_mount(box.container))


def go_back(agent, kept: Points, box, number: int):
    sandbox.delete(agent, box.session_id, box.machine, keep_disk=True)
    kept.restore(box.session_id, number, {box.machine: rootfs.disk_path(agent, box.spec.name)})
    return sandbox.create(agent, box.spec)


@pytest.mark.parametrize("profile", ["standard", "nested"])
def test_files_come_back_as_they_were_with_owner_and_mode_and_later_ones_are_gone(agent, make, shell, profile):
    kept, box = Points(agent), make(profile)
    shell(box, "echo first >/root/one; chown student /root/one; chmod 4750 /root/one; rm /etc/hostname; mkdir /var/lib/docker/x")
    kept.take(box.session_id, 1, "second", [source(agent, box)])
    shell(box, "echo spoilt >/root/one; touch /root/two; rm -rf /bin/sh /etc/passwd /var/lib/docker/x")
    box = go_back(agent, kept, box, 1)
    found = shell(box, "cat /root/one; stat -c '%U %a' /root/one; ls /root/two /etc/hostname; ls /bin/sh /etc/passwd").output
    assert found.splitlines()[:2] == ["first", "student 4750"]
    assert "'/root/two': No such file" in found
    assert "'/etc/hostname': No such file" in found
    assert found.split()[-2:] == ["/bin/sh", "/etc/passwd"]
    if profile == "nested":
        assert shell(box, "ls /var/lib/docker").output.strip() == "x"


def test_a_point_is_whole_while_the_sandbox_writes_without_pause(agent, make, shell):
    """Every file that is there has its whole content: the copy lies between two writes."""
    kept, box = Points(agent), make()
    shell(box, "cd /root; i=0; while :; do i=$((i+1)); echo $i >new; sync new; mv new f$((i%50)); done </dev/null >/dev/null 2>&1 &")
    wait_until(lambda: shell(box, "ls /root | wc -l").output.strip() > "30", 20, "files")
    for number in range(1, 6):
        kept.take(box.session_id, number, str(number), [source(agent, box)])
    for number in (5, 3, 1):
        box = go_back(agent, kept, box, number)
        lines = shell(box, "cat /root/f*; ls /root/f* | wc -l").output.split()
        assert len(lines) - 1 == int(lines[-1])
        assert all(line.isdigit() for line in lines)


def test_a_point_costs_what_was_written_and_not_the_size_of_the_disk(agent, make, shell):
    kept, box = Points(agent), make()
    shell(box, "head -c 5M /dev/urandom >/root/five")
    kept.take(box.session_id, 1, "second", [source(agent, box)])
    (point,) = kept.list(box.session_id)
    assert 5 << 20 < point["bytes"] < 7 << 20


def test_the_terminal_answers_while_a_point_is_taken(agent, make, shell):
    kept, box = Points(agent), make(cpus=1.0)
    shell(box, "head -c 20M /dev/urandom >/root/twenty")
    master = spawn.adopt(spawn.open_terminal(agent, box, 0, 24, 80))
    done, waits = threading.Event(), []
    taker = threading.Thread(target=lambda: (_take_many(agent, kept, box), done.set()))
    try:
        _echo_ms(master)
        taker.start()
        while not done.is_set():
            waits.append(_echo_ms(master))
    finally:
        taker.join()
        os.close(master)
    waits.sort()
    print(f"echo during {len(kept.list(box.session_id))} points of 20 MiB: median {waits[len(waits) // 2]:.1f} ms, "
          f"worst {waits[-1]:.1f} ms of {len(waits)}")
    assert waits[int(len(waits) * 0.95)] < ECHO_MS


def _take_many(agent, kept, box) -> None:
    for number in range(1, 9):
        kept.take(box.session_id, number, str(number), [source(agent, box)])


def _echo_ms(master: int) -> float:
    """From a key to its echo; the shell has a prompt and waits."""
    while select.select([master], [], [], 0.02)[0]:
        os.read(master, 65536)
    began = time.monotonic()
    os.write(master, b"x")
    assert select.select([master], [], [], 10)[0], "no echo within 10 s"
    return (time.monotonic() - began) * 1000


def test_a_disk_that_holds_too_much_for_a_copy_is_skipped_and_goes_on(agent, make, shell, monkeypatch):
    monkeypatch.setattr(diskcopy, "MAX_COPY_BYTES", 1 << 20)
    kept, box = Points(agent), make()
    shell(box, "head -c 4M /dev/urandom >/root/much")
    with pytest.raises(Skipped, match="too-large"):
        kept.take(box.session_id, 1, "second", [source(agent, box)])
    assert kept.list(box.session_id) == []
    assert shell(box, "echo x >/root/after && cat /root/after", timeout=5).output.strip() == "x"


def test_a_full_disk_skips_the_point_and_the_sandbox_goes_on(agent, make, shell, tmp_path):
    """The points lie on a file system of their own, which is full."""
    mountapi.mount("none", tmp_path, "tmpfs", 0, "size=1m")
    try:
        kept, box = Points(agent), make()
        kept.directory = tmp_path / "points"
        shell(box, "head -c 4M /dev/urandom >/root/four")
        with pytest.raises(Skipped, match="disk-full"):
            kept.take(box.session_id, 1, "second", [source(agent, box)])
        assert list((kept.directory / box.session_id).iterdir()) == []
        assert shell(box, "echo x >/root/after && cat /root/after", timeout=5).output.strip() == "x"
    finally:
        mountapi.unmount(tmp_path)


def test_a_sandbox_with_a_frozen_disk_can_be_deleted(agent, make, shell):
    import fcntl
    box = make()
    descriptor = os.open(rootfs.disk_mount(box.container), os.O_RDONLY)
    fcntl.ioctl(descriptor, 0xC0045877, 0)  # FIFREEZE
    os.close(descriptor)
    shell(box, "echo stuck >/root/stuck </dev/null >/dev/null 2>&1 &", timeout=5)
    sandbox.delete(agent, box.session_id, box.machine)
    assert sandbox.find(agent, box.session_id, box.machine) is None


# --- the whole agent --------------------------------------------------------------------------------------

HOME = "/home/student"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with running_agent(tmp_path_factory.mktemp("rewind")) as started:
        started.lab = publish(started.settings.content_dir, lab_document(
            steps=["first", "second", "third"], tasks=[task("one", "first"), task("two", "second"), task("three", "third")]),
            {f"checks/{name}.sh": f"test -e {HOME}/{name} && echo saw {name}" for name in ("one", "two", "three")})
        yield started


@pytest.fixture
def session_id():
    import uuid
    return str(uuid.uuid4())


def pass_step(site, session_id, hands, name: str) -> None:
    hands.type_line(f"touch {HOME}/{name}", 10 * PATIENCE)
    site.tell(protocol.TASK_CHECK, session_id=session_id)
    site.wait_for(session_id, "task_passed", task=name)


def rewind(site, session_id, generation: int, step: str) -> None:
    site.tell(protocol.TASK_CREATE, session_id=session_id, generation=generation, lab=site.lab, resume=True, point=step)


def test_starting_a_step_over_keeps_earlier_files_and_drops_later_ones(site, session_id):
    site.create(session_id)
    site.wait_for(session_id, "ready")
    with keyboard(site, session_id) as hands:
        hands.wait_ready(0, 10 * PATIENCE)
        pass_step(site, session_id, hands, "one")
        site.wait_for(session_id, "points")
        pass_step(site, session_id, hands, "two")
        found = site.wait_for(session_id, "points", count=2)["payload"]["points"]
    assert [point["step"] for point in found] == ["second", "third"]
    for _twice in range(2):
        rewind(site, session_id, 2, "second")
    ready = site.wait_for(session_id, "ready", count=2)["payload"]
    assert [point["step"] for point in ready["points"]] == ["second"]
    with keyboard(site, session_id) as hands:
        hands.wait_ready(0, 10 * PATIENCE)
        hands.type_line(f"ls {HOME}", 10 * PATIENCE)
        assert b"one" in hands.screen.rpartition(b"ls ")[2]
        assert b"two" not in hands.screen.rpartition(b"ls ")[2]
        pass_step(site, session_id, hands, "two")
    rewind(site, session_id, 3, "first")
    assert site.wait_for(session_id, "ready", generation=3)["payload"]["points"] == []
    with keyboard(site, session_id) as hands:
        hands.wait_ready(0, 10 * PATIENCE)
        hands.type_line(f"ls {HOME}/one", 10 * PATIENCE)
        assert b"No such file" in hands.screen


def test_a_kill_of_control_during_a_point_leaves_no_half_point_and_no_frozen_disk(site, session_id):
    site.create(session_id)
    site.wait_for(session_id, "ready")
    folder = site.settings.agent_dir / "points" / session_id
    with keyboard(site, session_id) as hands:
        hands.wait_ready(0, 10 * PATIENCE)
        hands.type_line(f"head -c 40M /dev/urandom >{HOME}/big", 20 * PATIENCE)
        hands.type_line(f"touch {HOME}/one", 10 * PATIENCE)
        site.tell(protocol.TASK_CHECK, session_id=session_id)
        wait_until(lambda: list(folder.glob(".building-*/*.img")), 20, "a copy to begin")
        site.instance.kill("control")
        assert [entry.name for entry in folder.iterdir()] == [".building-01"]
        hands.type_line(f"touch {HOME}/alive && ls {HOME}/alive", 10 * PATIENCE)
        site.instance.start("control")
        site.tell(protocol.TASK_CHECK, session_id=session_id)
        found = site.wait_for(session_id, "points")["payload"]
    assert [point["step"] for point in found["points"]] == ["second"]
    assert [entry.name for entry in folder.iterdir()] == ["01"]
    rewind(site, session_id, 2, "second")
    site.wait_for(session_id, "ready", generation=2)
    box = sandbox.find(site.settings, session_id, "box")
    assert spawn.run(site.settings, box, ["/bin/ls", f"{HOME}/one"], "root", 10).status == 0
