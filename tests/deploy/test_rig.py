"""The rig's plain parts: what it runs, what it says, in which order it loads modules."""

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.rig import __main__ as rig
from tests.rig import chosen, machine, system

PROJECT = Path(__file__).resolve().parent.parent.parent
OUTPUT = """1| ======= 1 failed, 8 passed, 16 deselected, 1 warning in 163.92s (0:02:43) =======
2| tests/sandbox/test_limits.py::test_the_disk PASSED [ 1%]
2| ============== 12 passed, 2 errors in 63.00s (0:01:03) ==============
rig: 240.1 s after the start: status 1
"""


@pytest.mark.parametrize("name", [*chosen.CANT_RUN, *chosen.SECOND_LANE, *(name for lane in chosen.CHOICE for name in lane)])
def test_what_is_named_exists(name):
    file, _, test = name.partition("::")
    text = (PROJECT / chosen.FOLDER / file).read_text()
    function, _, parameter = test.rstrip("]").partition("[")
    assert f"def {function}" in text
    assert f'"{parameter}"' in text or not parameter


def test_both_lanes_together_run_every_file_that_can_run():
    first, second = chosen.lanes(whole=True)
    assert second == [f"tests/sandbox/{name}" for name in chosen.SECOND_LANE]
    left_out = {name.partition("=")[2].rpartition("/")[2] for name in first if name.startswith("--ignore=")}
    assert left_out == {*chosen.SECOND_LANE, *chosen.CANT_RUN}


@pytest.mark.parametrize("whole", [False, True])
def test_every_reason_is_printed(whole):
    for name, reason in chosen.CANT_RUN.items():
        assert f"{name}: {reason}" in chosen.explanation(whole)


def test_the_lanes_results_are_added_up():
    assert rig.totals(OUTPUT) == "20 passed, 3 failed, 0 skipped"
    assert machine.END.search(OUTPUT)[1] == "1"


def test_a_machine_that_never_says_its_status_has_failed(capsys):
    child = subprocess.Popen([sys.executable, "-c", "print('booting')"], stdout=subprocess.PIPE)
    assert machine.follow(child, time.monotonic() + 60)[0] == 1
    assert "did not finish its job" in capsys.readouterr().out


def test_a_machine_that_hangs_is_given_up(capsys):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], stdout=subprocess.PIPE)
    try:
        assert machine.follow(child, time.monotonic() + 0.2)[0] == 1
        assert "its time was over" in capsys.readouterr().out
    finally:
        child.kill()
        child.wait()


def test_modules_come_after_what_they_need(tmp_path):
    (tmp_path / "modules.dep").write_text(
        "kernel/fs/ext4/ext4.ko: kernel/lib/crc16.ko kernel/fs/jbd2.ko\n"
        "kernel/drivers/virtio_blk.ko: kernel/drivers/virtio.ko\nkernel/drivers/virtio.ko:\n"
        "kernel/drivers/virtio_pci.ko: kernel/drivers/virtio_ring.ko kernel/drivers/virtio.ko\n")
    names = [re.sub(r".*/|\.ko$", "", name) for name in system.in_order(tmp_path)]
    assert names == ["virtio", "virtio_ring", "virtio_pci", "virtio_blk", "jbd2", "crc16", "ext4"]
