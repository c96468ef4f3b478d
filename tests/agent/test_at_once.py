"""What others change while it is looked at."""

import os
import threading

from runtime_agent import images
from runtime_agent.cgroup import Group
from tests.agent.test_spares import host  # noqa: F401  (a fixture)


def test_the_processes_of_a_group_are_found_while_an_engine_inside_makes_and_removes_groups(tmp_path):
    """Plain folders: what is tested is the walk. A delete that met the race left its sandbox frozen."""
    group, stopped = Group("top/session/box", tmp_path), threading.Event()
    inner = tmp_path / "pids" / "top/session/box" / "inner"
    inner.mkdir(parents=True)
    (inner / "cgroup.procs").write_text("42\n")

    def churn(name):
        while not stopped.is_set():
            os.makedirs(inner / name / "deep")
            os.removedirs(inner / name / "deep")
    engines = [threading.Thread(target=churn, args=(name,)) for name in ("a", "b")]
    for engine in engines:
        engine.start()
    try:
        for _ in range(1000):
            assert group.pids() == {42}
    finally:
        stopped.set()
        for engine in engines:
            engine.join()


def test_starts_at_the_same_moment_renew_the_shells_start_file_together(host):  # noqa: F811
    bashrc, gate, broken = host.guest_dir / "etc" / "bashrc", threading.Barrier(4), []

    def renew():
        for _ in range(50):
            gate.wait()
            bashrc.write_bytes(b"of an earlier version")
            gate.wait()
            try:
                images.prepare_guest(host)
            except OSError as error:
                broken.append(error)
    starts = [threading.Thread(target=renew) for _ in range(4)]
    for start in starts:
        start.start()
    for start in starts:
        start.join()
    assert broken == []
    assert bashrc.read_bytes() == (images.GUEST_FILES / "bashrc").read_bytes()
    assert [file.name for file in bashrc.parent.iterdir()] == ["bashrc"]
