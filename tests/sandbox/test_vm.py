"""A virtual machine in a sandbox of the standard profile: QEMU's software emulation, no device, no privilege."""

from __future__ import annotations

import platform
import re

import pytest

IMAGE = {"image": "vm", "memory_bytes": 384 << 20, "cpus": 1.0, "disk_bytes": 1 << 30}


@pytest.fixture
def box(make):
    return make("standard", **IMAGE)


def test_the_guest_has_a_kernel_of_its_own(box, shell):
    result = shell(box, "vm start one && vm sh one 'echo kernel=$(uname -r); echo pid=$(cat /proc/1/comm)'", timeout=150)
    assert re.search(r"^kernel=6\.1\.0-\d+-cloud-amd64$", result.output, re.MULTILINE), result.output
    assert platform.release() not in result.output
    assert "pid=init" in result.output or "pid=sh" in result.output


def test_a_panic_of_the_guest_leaves_the_sandbox_alive(box, shell):
    result = shell(box, "vm start one; vm sh one --timeout 5 'echo c > /proc/sysrq-trigger'; vm log one", timeout=150)
    assert "Kernel panic" in result.output
    assert shell(box, "echo alive").output.strip() == "alive"


def test_the_guest_serves_a_page_and_has_a_disk(box, shell):
    script = ("qemu-img create -q -f qcow2 /root/disk.qcow2 64M\n"
              "vm start one --disk /root/disk.qcow2 --service 80 --address 10.0.2.15/24"
              " --network user,hostfwd=tcp:127.0.0.1:8080-:80\n"
              "vm sh one 'ls /dev/vda'; busybox wget -qO - http://127.0.0.1:8080/\n")
    result = shell(box, script, timeout=150)
    assert "Hello from a virtual machine" in result.output
    assert "/dev/vda" in result.output


def test_the_monitor_takes_orders_and_names_what_is_wrong(box, shell):
    result = shell(box, "vm start one; qmp one stop; vm list; qmp one balloon value=no; qmp two query-status", timeout=150)
    assert re.search(r"^one +paused", result.output, re.MULTILINE), result.output
    assert "Invalid parameter type for 'value'" in result.output
    assert "no QEMU listens at /run/vm/two/monitor" in result.output


def test_kvm_is_not_to_be_had(box, shell):
    result = shell(box, "ls /dev/kvm; qemu-system-x86_64 -accel kvm -display none < /dev/null")
    assert result.status != 0
    assert "No such file" in result.output


@pytest.fixture
def metal(make, shell):
    """A sandbox in which Xen and its dom0 have booted, with the limits of the lab that uses it."""
    box = make("standard", image="xen", memory_bytes=768 << 20, cpus=1.0, disk_bytes=128 << 20)
    result = shell(box, "xen start", timeout=150)
    assert re.search(r"first prompt after \d+ ms", result.output), result.output[-1500:]
    return box


def test_a_type_1_hypervisor_runs_a_guest_beside_its_dom0(metal, shell):
    """Xen boots first; dom0 is its first guest and makes a second one, which comes up."""
    log = "/var/log/xen/guest-guest.log"
    script = (f"xen sh xl create guest.cfg; xen domains; "
              f"xen sh 'for try in $(seq 60); do grep -q seconds {log} && break; sleep 1; done; cat {log}'; "
              f"xen sh 'xl mem-set guest 100; xl destroy guest'; echo afterwards; xen domains")
    output = shell(metal, script, timeout=150).output
    before, _, afterwards = output.partition("afterwards")
    assert re.search(r"^Domain-0 +0 +320 ", before, re.MULTILINE), output
    assert re.search(r"^guest +1 +112 ", before, re.MULTILINE), output
    assert "The guest is up after" in before, output
    assert re.search(r"^Domain-0 +0 +320 ", afterwards, re.MULTILINE), output
    assert "guest " not in afterwards, output


def test_dom0_obeys_one_order_after_the_other(metal, shell):
    """Its orders come back whole, whatever a command prints or leaves undone, and the console needs no part in it."""
    script = ("xen sh 'printf open; false'; echo $?; xen sh 'if'; echo $?; "
              "(xen sh 'sleep 2; echo slow' & xen sh 'echo \"end 1 0\"; cat'; wait); "
              "vm stop metal; xen domains; echo $?")
    output = shell(metal, script, timeout=100).output
    assert output.startswith("open1\n"), output
    assert re.search(r"syntax error.*\n2\n", output), output
    assert sorted(re.findall(r"^(slow|end 1 0)$", output, re.MULTILINE)) == ["end 1 0", "slow"], output
    assert output.endswith("xen: the computer is off: xen start\n1\n"), output
