"""A virtual machine in a sandbox of the standard profile: QEMU's software emulation, no device, no privilege."""

from __future__ import annotations

import platform
import re

import pytest

IMAGE = {"image": "vm", "memory_bytes": 384 << 20, "cpus": 1.0, "disk_bytes": 1 << 30}
APPEND = "console=ttyS0 quiet panic=-1"


@pytest.fixture
def box(make):
    return make("standard", **IMAGE)


def guest(command: str, options: str = "") -> str:
    """The line that boots a guest, has it run ``command`` (without quotes) and power off."""
    return f"timeout 60 vm -append '{APPEND} run=\"{command}; poweroff -f\"' {options} < /dev/null | tr -d '\\r'"


def test_the_guest_has_a_kernel_of_its_own(box, shell):
    result = shell(box, guest("echo kernel=$(uname -r); echo pid=$(cat /proc/1/comm)"), timeout=120)
    assert re.search(r"^kernel=6\.1\.0-\d+-cloud-amd64$", result.output, re.MULTILINE), result.output
    assert platform.release() not in result.output
    assert "pid=init" in result.output


def test_a_panic_of_the_guest_leaves_the_sandbox_alive(box, shell):
    result = shell(box, guest("echo c > /proc/sysrq-trigger"), timeout=120)
    assert "Kernel panic" in result.output
    assert shell(box, "echo alive").output.strip() == "alive"


def test_the_guest_serves_a_page_and_has_a_disk(box, shell):
    script = ("qemu-img create -q -f qcow2 /root/disk.qcow2 64M\n"
              + guest("ls /dev/vda >> /www/index.html; httpd -p 80 -h /www; sleep 60",
                      "-drive file=/root/disk.qcow2,if=virtio -nic user,model=virtio,hostfwd=tcp:127.0.0.1:8080-:80")
              + " > /root/out &\n"
              "for try in $(seq 300); do timeout 2 socat -T 1 - TCP:127.0.0.1:8080 <<< $'GET / HTTP/1.0\\r\\n\\r' "
              "> /root/page 2> /dev/null; grep -q virtual /root/page && break; sleep 0.2; done\n"
              "cat /root/page; kill %1")
    result = shell(box, script, timeout=120)
    assert "It works, in a virtual machine" in result.output
    assert "/dev/vda" in result.output


def test_kvm_is_not_to_be_had(box, shell):
    result = shell(box, "ls /dev/kvm; qemu-system-x86_64 -accel kvm -display none < /dev/null")
    assert result.status != 0
    assert "No such file" in result.output
