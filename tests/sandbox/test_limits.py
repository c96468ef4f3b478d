"""What a sandbox may use up ends where its machine says, proved from inside."""

import pytest

pytestmark = pytest.mark.sandbox


def test_the_process_limit_answers_with_eagain(make, shell):
    box = make(pids=64)
    result = shell(box, "python3 -c \"\nimport os,time,errno\nk=[]\ntry:\n while True:\n  p=os.fork()\n"
                        "  if p==0: time.sleep(20); os._exit(0)\n  k.append(p)\n"
                        "except OSError as e: print(errno.errorcode[e.errno], len(k))\n[os.kill(p,9) for p in k]\"")
    word, count = result.output.split()
    assert word == "EAGAIN"
    assert 50 <= int(count) < 64


def test_the_memory_limit_kills_and_is_counted(make, shell):
    box = make(memory_bytes=64 << 20)
    assert box.oom_kills() == 0
    result = shell(box, "head -c 200M /dev/zero | tail >/dev/null; echo status ${PIPESTATUS[1]}")
    assert "status 137" in result.output
    assert box.oom_kills() >= 1
    assert box.is_alive(), "only the program that asked for too much is killed"


def test_a_neighbour_does_not_notice_a_memory_bomb(make, shell):
    bomber, neighbour = make(memory_bytes=64 << 20), make()
    shell(bomber, "head -c 400M /dev/zero | tail >/dev/null")
    assert neighbour.oom_kills() == 0
    assert shell(neighbour, "echo alive").output.strip() == "alive"


def test_the_disk_ends_where_its_quota_says(make, shell):
    box = make(disk_bytes=128 << 20)
    result = shell(box, "dd if=/dev/zero of=/root/fill bs=1M count=400 2>&1 | tail -1; stat -c %s /root/fill; df --output=size -B1M / | tail -1")
    written = int(result.output.split("\n")[1])
    assert 64 << 20 < written < 128 << 20


def test_processors_are_shared_out_by_quota(make, shell):
    result = shell(make(cpus=0.25), "python3 -c \"\nimport time,os\nt=time.time()\nu=sum(os.times()[:2])\n"
                                    "while time.time()-t<2: pass\nprint((sum(os.times()[:2])-u)/2)\"")
    assert float(result.output) < 0.4


def test_a_fork_that_never_ends_does_not_keep_a_sandbox_from_going(make, shell, agent):
    from runtime_agent import sandbox
    box = make()
    shell(box, "setsid nohup python3 -c \"import os,time\nwhile True:\n try:\n  p=os.fork()\n  if p: os._exit(0)\n"
               " except OSError: time.sleep(.01)\" >/dev/null 2>&1 & sleep .3")
    sandbox.delete(agent, box.session_id, box.machine)
    assert not sandbox.group(agent, box.session_id, box.machine).pids()


def test_a_tree_of_three_thousand_folders_goes_with_the_disk(make, shell, agent):
    from runtime_agent import rootfs, sandbox
    box = make()
    shell(box, "python3 -c \"import os\nos.makedirs('/root/deep');os.chdir('/root/deep')\n"
               "for i in range(3000): os.mkdir('d'*50);os.chdir('d'*50)\"")
    sandbox.delete(agent, box.session_id, box.machine)
    assert not rootfs.disk_path(agent, box.spec.name).exists()
