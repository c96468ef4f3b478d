"""What a spare has done before the click: the lab's set-up, and a shell that waits."""

import os
import signal
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest

from runtime_agent import launch, proc, sandbox, spares, spawn, state
from runtime_agent.errors import AgentError
from runtime_agent.keyboard import Keyboard
from tests.instance import PATIENCE, wait_until
from tests.sandbox.machines import kind, kind_on_a_network
from tests.sandbox.pool_stage import die, in_a_process_that_is_killed, settle

pytestmark = pytest.mark.sandbox


# --- a lab's set-up ---------------------------------------------------------------------------------------


def launched(host, filled, wanted):
    """The sandbox that a lab of one machine of this kind gets, and the stages that were announced."""
    lab = SimpleNamespace(machines={"box": None}, setup={"box": wanted.setup.name}, resume={}, directory=wanted.setup.parent,
                          networks={})
    stages = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(launch, "spec_of", lambda *_: wanted)
        patch.setattr(launch.gvisor, "settings_for", lambda *_: host)
        return launch.launch(host, wanted.session_id, lab, stages.append, machinery=filled)["box"], stages


def test_a_spare_is_set_up_before_the_click_and_once(host, filled, set_up, shell):
    wanted = set_up("echo done >>/root/trace; sleep 600 >/dev/null 2>&1 &")
    filled.want(wanted)
    settle(filled)
    box, stages = launched(host, filled, wanted)
    assert box.container != wanted.name and stages == []
    assert shell(box, "cat /root/trace; pgrep -c sleep").output.split() == ["done", "1"]
    sleeping = next(pid for pid in sandbox.group(host, wanted.session_id, "box").pids() if proc.arguments(pid)[:1] == ["sleep"])
    assert os.getpriority(os.PRIO_PROCESS, sleeping) == 0
    assert "42" in typed(box, host, "echo $((6 * 7))")


@pytest.mark.parametrize("make", [lambda: {"warm": False}, kind_on_a_network])
def test_what_was_not_set_up_in_advance_is_at_the_click(host, filled, set_up, shell, make):
    wanted = set_up("echo done >>/root/trace")
    if isinstance(made := make(), sandbox.Spec):
        wanted = replace(wanted, interfaces=made.interfaces)
        filled.want(wanted)
        settle(filled)
    box, stages = launched(host, filled, wanted)
    assert stages[-1] == "setup"
    assert shell(box, "cat /root/trace").output == "done\n"


def test_a_set_up_that_fails_makes_no_spare_and_is_told_to_who_clicks(host, filled, set_up):
    wanted = set_up("echo no luck; exit 3")
    filled.want(wanted)
    settle(filled)
    assert spares.unclaimed(host) == []
    with pytest.raises(AgentError, match="status 3, no luck"):
        launched(host, filled, wanted)


@pytest.mark.parametrize("made_at", [time.time() - spares.MAX_AGE_SECONDS, time.time() + 3600])
def test_what_a_set_up_made_does_not_grow_old_in_the_pool(host, filled, made_at):
    filled.want(kind())
    settle(filled)
    for spare in spares.unclaimed(host):
        home = host.spares_dir / spare.name
        state.save(home, {**state.load(home), "made_at": made_at})
    assert filled.count() == 0
    assert filled.create(host, wanted := kind()).container == wanted.name
    settle(filled)
    assert filled.count() == 2


def test_another_set_up_is_another_kind(host, set_up):
    assert spares.key_of(host, set_up("true")) != spares.key_of(host, kind())


# --- the shell that waits ---------------------------------------------------------------------------------


@pytest.fixture
def claimed(host, filled):
    """``claimed(spec)``: the sandbox of a session that got a spare."""
    def claim(wanted):
        filled.want(wanted)
        settle(filled)
        box = filled.create(host, wanted)
        assert box.container != wanted.name
        return box
    return claim


def typed(box, host, line, number=0):
    """What is on the screen of terminal ``number`` after ``line``."""
    keys = Keyboard(spawn.adopt(spawn.open_terminal(host, box, number, 33, 101)))
    try:
        assert keys.wait_ready(0, 20 * PATIENCE)
        keys.type_line(line, 20 * PATIENCE)
        return keys.screen.decode()
    finally:
        os.close(keys.master)


@pytest.mark.parametrize("profile, user", [("standard", "student"), ("nested", "root")])
def test_the_shell_that_waited_is_like_any_other(host, filled, claimed, shell, profile, user):
    seen = 'env | sort; pwd; ulimit -a; tty; stty size; ps -eo pid,ppid,pgid,sid,tpgid,tty,stat,ni,args | grep -v " ps "; umask; ' \
           'cat /proc/self/status | grep -E "^(Cap|Sig|Groups|NoNew|Seccomp:)"; cat /proc/self/oom_score_adj'
    found = {}
    for name, box in (("waited", claimed(kind(profile, user=user))), ("cold", sandbox.create(host, kind(profile, user=user)))):
        typed(box, host, f"{{ {seen}; }} >/tmp/seen 2>&1")
        found[name] = shell(box, "cat /tmp/seen").output.replace("pts/1", "pts/0")
    assert found["waited"] == found["cold"]
    assert "33 101" in found["waited"]


def test_the_shell_that_waited_finds_what_the_set_up_has_done(host, claimed, shell):
    box = claimed(kind())
    assert shell(box, "rm -rf /root && mkdir -m 700 /root && echo MARK=here >/root/.lab_profile").status == 0
    screen = typed(box, host, "touch it; echo $MARK-$PWD")
    assert "here-/root" in screen, screen
    assert shell(box, "ls /root").output == "it\n"


def test_one_shell_waits_and_the_next_terminal_gets_its_own(host, claimed):
    box = claimed(kind())
    waiting = box.state["waiting_shell"]["pid"]
    third, first = (spawn.open_terminal(host, box, number, 24, 80) for number in (3, 0))
    assert third.pid == waiting and first.pid != waiting
    assert spawn.open_terminal(host, box, 3, 24, 80) == third
    assert os.getpriority(os.PRIO_PROCESS, third.pid) == os.getpriority(os.PRIO_PROCESS, third.conmon_pid) == 0


@pytest.mark.parametrize("victim", ["pid", "conmon_pid"])
def test_a_shell_that_died_while_it_waited_is_replaced(host, claimed, shell, victim):
    box = claimed(kind())
    waiting = box.state["waiting_shell"]
    os.kill(waiting[victim], signal.SIGKILL)
    wait_until(lambda: not proc.is_alive(waiting["conmon_pid"], waiting["conmon_start_ticks"]), what="its conmon's end")
    assert "42" in typed(box, host, "echo $((6 * 7))")


def test_a_set_up_that_lets_the_shell_run_too_early_costs_nothing(host, claimed, shell):
    box = claimed(kind())
    shell(box, "kill -CONT -1")
    assert "42" in typed(box, host, "echo $((6 * 7))")


def test_an_agent_killed_while_it_wakes_the_shell_opens_the_terminal_again(host, claimed, monkeypatch):
    box = claimed(kind())

    def step():
        monkeypatch.setattr(state, "save", die)
        monkeypatch.setattr(spawn, "notify_bridge", die)
        spawn.open_terminal(host, box, 0, 24, 80)

    in_a_process_that_is_killed(step)
    assert "42" in typed(box, host, "echo $((6 * 7))")
