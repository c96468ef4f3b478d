"""What a sandbox is and sees, proved from inside for both profiles."""

import os
from pathlib import Path

import pytest

from runtime_agent import spawn
from tests.instance import wait_until

pytestmark = pytest.mark.sandbox


@pytest.mark.parametrize("profile", ["standard", "nested"])
def test_root_inside_is_nobody_outside(make, shell, profile):
    box = make(profile)
    assert shell(box, "id -u").output.strip() == "0"
    assert os.stat(f"/proc/{box.init_pid}").st_uid >= 1_879_048_192


@pytest.mark.parametrize("profile", ["standard", "nested"])
def test_every_namespace_is_its_own(make, profile):
    box = make(profile)
    for kind in ("pid", "mnt", "uts", "ipc", "net", "user", "cgroup"):
        assert os.readlink(f"/proc/{box.init_pid}/ns/{kind}") != os.readlink(f"/proc/self/ns/{kind}"), kind


def test_pid_1_reaps_orphans(make, shell):
    box = make()
    shell(box, "for i in $(seq 20); do setsid sh -c 'sleep .1 &' ; done; sleep .6")
    assert "Z" not in shell(box, "ps -eo stat= | cut -c1").output


def test_the_shell_marks_prompts_and_the_size_is_the_windows(make, agent):
    box = make()
    terminal = spawn.open_terminal(agent, box, 0, 33, 111)
    output = _type(terminal, b"stty size\n", b"33 111")
    assert b"\x1b]133;A" in output
    assert b"33 111" in output


def test_the_kernel_ends_what_a_student_starts_before_anything_of_the_host(make, agent):
    box = make()
    terminal = spawn.open_terminal(agent, box, 0, 24, 80)
    output = _type(terminal, b"sleep 60 & cat /proc/$!/oom_score_adj; echo e''nd\r", b"\nend")
    assert b"500\r\nend" in output
    assert Path(f"/proc/{box.init_pid}/oom_score_adj").read_text() == "500\n"


def test_opening_the_same_terminal_again_returns_it(make, agent):
    box = make()
    assert spawn.open_terminal(agent, box, 1, 24, 80) == spawn.open_terminal(agent, box, 1, 24, 80)


def test_a_terminal_that_is_hung_up_ends_with_what_ran_in_it(make, shell, agent):
    box = make()
    terminal = spawn.open_terminal(agent, box, 1, 24, 80)
    _type(terminal, b"sleep 4321\n", b"sleep 4321")
    wait_until(lambda: "sleep 4321" in shell(box, "ps -eo args").output, 10, "its job")
    assert spawn.hang_up(box, 1)
    wait_until(lambda: not terminal.is_alive(), 10, "the terminal's end")
    wait_until(lambda: "sleep 4321" not in shell(box, "ps -eo args").output, 10, "the end of its job")
    assert not spawn.hang_up(box, 1)


def test_ptys_end_at_sixty_four(make, shell):
    result = shell(make(), "python3 -c \"import os\nl=[]\ntry:\n while len(l)<200: l.append(os.openpty())\n"
                           "except OSError: print(len(l))\"")
    assert int(result.output) <= 64


def test_the_student_has_no_capability(make, shell):
    result = shell(make("nested"), "id -un; grep CapEff /proc/self/status", user="student")
    assert result.output.split()[0] == "student"
    assert result.output.split()[-1].strip("0") == ""


@pytest.mark.parametrize("command", ["unshare -u true", "unshare -Ur true", "mount -t tmpfs x /mnt"])
def test_standard_refuses_what_nested_allows(make, shell, command):
    assert shell(make("standard"), command).status != 0
    assert shell(make("nested"), command).status == 0


def test_nested_owns_control_groups_below_its_own(make, shell, agent):
    from runtime_agent import cgroup
    prefix = "/sys/fs/cgroup" + ("/pids" if cgroup.version() == 1 else "")
    result = shell(make("nested"), f"mkdir {prefix}/mine && echo 5 > {prefix}/mine/pids.max && cat {prefix}/mine/pids.max")
    assert result.output.strip() == "5"


def test_what_is_written_goes_to_the_disk_and_never_to_the_image(make, shell):
    first, second = make(), make()
    shell(first, "echo changed >> /etc/passwd")
    assert "changed" not in shell(second, "cat /etc/passwd").output


def test_a_kept_disk_comes_back_with_its_files(make, shell, agent):
    from runtime_agent import sandbox
    box = make()
    shell(box, "echo kept > /root/note; chown student /root/note")
    sandbox.delete(agent, box.session_id, box.machine, keep_disk=True)
    again = sandbox.create(agent, box.spec)
    assert shell(again, "cat /root/note; stat -c %U /root/note").output.split() == ["kept", "student"]


def _type(terminal, keys: bytes, until: bytes) -> bytes:
    import select
    master = spawn.adopt(terminal)
    try:
        os.write(master, keys)
        output = b""
        while until not in output.replace(keys, b"") and select.select([master], [], [], 10)[0]:
            output += os.read(master, 65536)
        return output
    finally:
        os.close(master)


def test_a_kernel_whose_overlay_takes_no_descriptors_gets_the_layers_by_path(make, shell, monkeypatch):
    def refuse(*arguments):
        raise OSError(95, "Operation not supported", "fsconfig lowerdir+")
    monkeypatch.setattr("runtime_agent.mountapi.overlay", refuse)
    box = make("nested", image="engines")
    assert shell(box, "stat -c %u /etc/passwd; id -u; test -e /usr/bin/podman && echo both layers").output == "0\n0\nboth layers\n"
    assert os.stat(f"/proc/{box.init_pid}/root/etc/passwd").st_uid >= 1_879_048_192
