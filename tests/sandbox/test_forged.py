"""No facts check of any lab passes for what is faked inside: files that look like the kernel's, tools that lie, stolen names."""

from pathlib import Path

import pytest
import yaml

from runtime_agent import questions, xray
from tests.instance import wait_until

pytestmark = pytest.mark.sandbox
CONTENT = Path(__file__).resolve().parent.parent.parent / "labs" / "content"
TASKS = [(lab.parent.name, task) for lab in sorted(CONTENT.glob("*/*/*/lab.yaml"))
         for task in yaml.safe_load(lab.read_text())["tasks"] if "facts" in task["check"]]
FAKES = r"""exec >/dev/null 2>&1 </dev/null
mkdir -p /tmp/proc/1/ns /tmp/proc/7/ns /run/netns /root/box/rootfs /srv/box /srv/plug/disk
for kind in pid mnt net uts ipc user cgroup time; do
    ln -s "$kind:[4026531999]" /tmp/proc/1/ns/$kind; ln -s "$kind:[4026539999]" /tmp/proc/7/ns/$kind; done
printf 'Name:\tsleep\nState:\tS\nUid:\t1000\t1000\t1000\t1000\nNSpid:\t7\t1\n' > /tmp/proc/7/status
printf 'monotonic 3600 0\nboottime 864000 0\n' > /tmp/proc/7/timens_offsets
printf '0 10000 1000\n' > /tmp/proc/7/uid_map
printf '1 0 0:1 / / rw - overlay x rw\n2 1 0:1 /ship /mnt ro - cgroup x rw\n' > /tmp/proc/7/mountinfo
for name in ps hostname lsns unshare nsenter docker crun lxc-info pgrep ip; do
    printf '#!/bin/sh\necho "sleep 7 1 harbour pirate httpd running"\n' > /usr/local/bin/$name; chmod +x /usr/local/bin/$name; done
touch /run/harbour /run/crew /run/netns/red
mount -t tmpfs none /sys/fs/cgroup
for tree in . memory cpu pids blkio; do for group in small slow few threads ship docker/abc lxc.payload.box; do
    folder=/sys/fs/cgroup/$tree/$group; mkdir -p $folder; cd $folder
    echo 33554432 | tee memory.max memory.limit_in_bytes; echo 50331648 > memory.usage_in_bytes
    echo '20000 100000' > cpu.max; echo 20000 > cpu.cfs_quota_us; echo 100000 > cpu.cfs_period_us; echo 'nr_throttled 9' > cpu.stat
    echo 10 > pids.max; echo 5 > pids.current; echo 'max 60' > pids.events; echo 'oom_kill 3' | tee memory.events memory.oom_control
    echo '7:0 wbytes=9999999' > io.stat; echo $$ > cgroup.procs; done; done
cd /; setsid python3 -c "
import ctypes, time
ctypes.CDLL(None).prctl(15, b'httpd', 0, 0, 0); time.sleep(300)" &
(exec -a 'lxc monitor /var/lib/lxc box' sleep 300) & (exec -a 'docker-init yes httpd' sleep 300) & setsid sleep 300 &
mount --bind /tmp/proc /proc
"""


def test_the_labs_have_such_checks():
    assert len({lab for lab, _ in TASKS}) >= 12


def test_nothing_faked_passes_any_of_them(make, shell):
    box = make("nested")
    shell(box, FAKES)
    wait_until(lambda: len(xray.collect(box, {"processes"})["processes"]) >= 4, 20, "the impostors")
    facts = xray.collect(box)
    assert facts["init"]["proc_ns"] == 0, "the fakes are in place: /proc is no procfs"
    answers = {f"{lab} {task['id']}": questions.answer(questions.read(task["check"], _hints(task)), facts) for lab, task in TASKS}
    assert {name for name, (has_passed, _) in answers.items() if has_passed} == set()
    assert {name for name, (_, why) in answers.items() if not why.startswith("not yet because")} == set()


def _hints(task):
    hints = task.get("hint", [])
    return [hints] if isinstance(hints, dict) else hints
