"""What is made of the kernel's texts, recorded on a real host, and of texts that somebody inside has prepared."""

import struct

import pytest

from runtime_agent.cgroup import Group
from runtime_agent.xray import cgroups, engines, mounts, namespaces, network, processes
from runtime_agent.xray.mounts import HostDevices
from runtime_agent.xray.reading import clean

STATUS = b"""Name:\tsleep
Umask:\t0022
State:\tS (sleeping)
Tgid:\t12244
Ngid:\t0
Pid:\t12244
PPid:\t12239
TracerPid:\t0
Uid:\t2894856192\t2894856193\t2894856192\t2894856192
Gid:\t2894856192\t2894856192\t2894856192\t2894856192
FDSize:\t64
Groups:\t2894856192
NStgid:\t12244\t9\t1
NSpid:\t12244\t9\t1
NSpgid:\t12239\t4\t0
NSsid:\t12239\t4\t0
Kthread:\t0
VmPeak:\t    5484 kB
VmSize:\t    5484 kB
VmRSS:\t    1996 kB
RssAnon:\t     104 kB
RssFile:\t    1892 kB
Threads:\t1
SigQ:\t0/96365
CapInh:\t0000000000000000
CapPrm:\t00000000a82c35fb
CapEff:\t0000000000200001
CapBnd:\t00000000a82c35fb
CapAmb:\t0000000000000000
NoNewPrivs:\t1
Seccomp:\t2
Seccomp_filters:\t1
"""
MOUNTS = rb"""850 737 0:187 / / rw,relatime - overlay none rw,lowerdir+=/mnt/secret/image,upperdir=/mnt/secret/disk/upper,workdir=/mnt/secret/disk/work
851 850 0:188 / /proc rw,nosuid,nodev,noexec,relatime shared:3 - proc proc rw
852 850 8:1 /var/lib/bulkhead/agent/guest /.bulkhead ro,nosuid,nodev,relatime - ext4 /dev/sda1 rw
853 850 7:3 /storage/docker /var/lib/docker rw,nosuid,nodev,relatime - ext4 /dev/loop3 rw
854 850 0:187 /root/box/rootfs /mnt/a\040place rw,relatime master:3 - overlay none rw,lowerdir+=/mnt/secret/image
855 850 0:190 / /tmp/m rw,relatime - overlay overlay rw,lowerdir=/tmp/a\:b:/tmp/c,upperdir=/tmp/u,workdir=/tmp/w
856 850 0:4 net:[4026532674] /run/netns/red rw - nsfs nsfs rw
857 850 0:31 /bulkhead/s/box/inner/small /g rw - cgroup2 cgroup rw
nonsense
"""
DEVICES = HostDevices(frozenset({"8:1"}), "7:3", "0:187", "/bulkhead/s/box/inner")
GROUP = Group("bulkhead/s/box")


def test_a_status_file_becomes_words():
    found = processes.parse_status(STATUS)
    assert found == {"comm": "sleep", "state": "sleeping", "ppid": 12239, "uid": 2894856193, "pids": [12244, 9, 1],
                     "threads": 1, "memory_bytes": 1996 << 10, "anonymous_bytes": 104 << 10,
                     "capabilities": ["chown", "sys_admin"], "no_new_privs": True, "seccomp": "filter"}


def test_a_zombie_has_no_memory_lines():
    found = processes.parse_status(STATUS.replace(b"State:\tS (sleeping)", b"State:\tZ (zombie)").replace(
        b"VmPeak:\t    5484 kB\nVmSize:\t    5484 kB\nVmRSS:\t    1996 kB\nRssAnon:\t     104 kB\nRssFile:\t    1892 kB\n", b""))
    assert (found["state"], found["memory_bytes"], found["pids"]) == ("zombie", 0, [12244, 9, 1])


@pytest.mark.parametrize("name", [rb"x\nState:\tZ\nUid:\t0\t0", b"NSpid:\t1", b"CapEff:\tffffffffffffffff", b"\xff\xfe", b"a b) S 1"])
def test_a_process_can_not_name_itself_into_another_state(name):
    found = processes.parse_status(STATUS.replace(b"Name:\tsleep", b"Name:\t" + name))
    assert (found["uid"], found["state"], found["pids"][0]) == (2894856193, "sleeping", 12244)


def test_half_a_status_is_no_process():
    assert processes.parse_status(STATUS[:200]) is None
    assert processes.parse_status(b"") is None


def test_the_agents_own_command_line_on_its_way_into_the_sandbox_is_not_shown():
    secret = ("/var/lib/bulkhead", "/run/bulkhead")
    assert processes._command(b"crun\0--root\0/run/bulkhead/agent\0exec\0", secret) == ""
    assert processes._command(b"sleep\x00100\x00", secret) == "sleep 100"


@pytest.mark.parametrize(("text", "shown"), [
    (b"a" * 200, "a" * 200), (b"a" * 201, "a" * 199 + "…"), (b"\x1b[2Jx", "�[2Jx"), ("\u202etxt", "�txt"), ("Größe", "Größe")])
def test_texts_are_cleaned_and_cut(text, shown):
    assert clean(text) == shown


@pytest.mark.parametrize(("content", "groups"), [
    (b"4:memory:/bulkhead/s/box/inner/small\n3:cpu:/bulkhead/s/box/inner\n8:pids:/bulkhead/s/box/inner\n7:blkio:/bulkhead/s/box/inner\n0::/\n",
     {"memory": "/small", "cpu": "/", "pids": "/", "io": "/"}),
    (b"4:memory:/bulkhead/s/box\n3:cpu:/user\n", {"memory": "/..", "cpu": "/", "pids": "/", "io": "/"}),
    (b"0::/user.slice\n", None), (b"0::/bulkhead/s/boxer/inner\n", None), (b"", None)])
def test_a_process_belongs_to_the_machine_by_its_groups(content, groups):
    assert cgroups.paths_of(content, GROUP) == groups


@pytest.mark.parametrize("version", [1, 2])
def test_both_versions_of_control_groups_give_one_vocabulary(tmp_path, version):
    group = Group("bulkhead/s/box", tmp_path)
    files = {1: {"memory/memory.usage_in_bytes": "4096", "memory/memory.limit_in_bytes": "33554432",
                 "memory/memory.max_usage_in_bytes": "8192", "memory/memory.failcnt": "3", "pids/pids.events": "max 1",
                 "memory/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2", "pids/pids.current": "2",
                 "pids/pids.max": "max", "cpu/cpu.cfs_quota_us": "50000", "cpu/cpu.cfs_period_us": "100000",
                 "cpu/cpu.stat": "nr_periods 10\nnr_throttled 4\nthrottled_time 1500000000",
                 "cpuacct/cpuacct.usage": "2500000000",
                 "blkio/blkio.throttle.io_service_bytes": "8:0 Read 100\n8:0 Write 7\n8:16 Read 1\nTotal 108"},
             2: {"memory.current": "4096", "memory.max": "33554432", "memory.peak": "8192", "pids.events": "max 1",
                 "memory.events.local": "low 0\nmax 3\noom 2\noom_kill 2", "pids.current": "2", "pids.max": "max",
                 "cpu.max": "50000 100000", "io.stat": "8:0 rbytes=100 wbytes=7 rios=1\n8:16 rbytes=1 wbytes=0",
                 "cpu.stat": "usage_usec 2500000\nnr_periods 10\nnr_throttled 4\nthrottled_usec 1500000",
                 "memory.pressure": "some avg10=1.50 avg60=0 total=1\nfull avg10=0.20"}}[version]
    if version == 2:
        (tmp_path / "cgroup.controllers").touch()
    group.version = version
    for controller in ("memory", "cpu", "pids", "blkio", "cpuacct") if version == 1 else ("",):
        (tmp_path / controller / group.name / "inner").mkdir(parents=True)
    for name, content in files.items():
        controller, _, file = name.rpartition("/")
        (tmp_path / controller / group.name / "inner" / file).write_text(content + "\n")
    entries, is_cut = cgroups.collect(group)
    inner = next(entry for entry in entries if entry["path"] == "/")
    assert not is_cut
    assert inner["memory"] == {"usage_bytes": 4096, "limit_bytes": 33554432, "peak_bytes": 8192, "at_limit": 3, "oom_kills": 2}
    assert inner["cpu"] == {"usage_seconds": 2.5, "limit_cpus": 0.5, "periods": 10, "throttled_periods": 4, "throttled_seconds": 1.5}
    assert inner["pids"] == {"current": 2, "limit": None, "refused": 1}
    assert inner["io"] == {"read_bytes": 101, "written_bytes": 7}
    assert inner["pressure"] == (None if version == 1 else {"memory": 1.5, "cpu": 0.0, "io": 0.0})


def test_no_path_of_the_host_is_in_the_mounts():
    shown = mounts.describe(7, mounts.parse(MOUNTS), DEVICES)
    assert len(shown) == 8
    for path in ("secret", "/var/lib/bulkhead", "/dev/sda1", "/dev/loop", "/bulkhead/s"):
        assert path not in repr(shown)


def test_mounts_have_their_meaning():
    shown = {entry["target"]: entry for entry in mounts.describe(7, mounts.parse(MOUNTS), DEVICES)}
    assert {target: entry["meaning"] for target, entry in shown.items()} == {
        "/": "root", "/proc": "processes", "/.bulkhead": "agent", "/var/lib/docker": "storage", "/mnt/a place": "bind",
        "/tmp/m": "layers", "/run/netns/red": "namespace", "/g": "groups"}
    assert shown["/tmp/m"]["lower"] == ["/tmp/a\\:b", "/tmp/c"]
    assert shown["/tmp/m"]["upper"] == "/tmp/u"
    assert shown["/g"]["root"] == "/small"
    assert [shown[path]["propagation"] for path in ("/", "/proc", "/mnt/a place")] == ["private", "shared", "slave"]


@pytest.mark.parametrize(("chroot", "rootfs"), [
    ("/", "/"), ("/root/box/rootfs", "/root/box/rootfs"), ("/mnt/a place/etc", "/root/box/rootfs/etc"), ("/tmp/m", ""),
    ("/mnt/a", "/mnt/a")])
def test_a_root_directory_is_found_in_the_sandboxs_own_files(chroot, rootfs):
    assert mounts.root_of(mounts.parse(MOUNTS), chroot, DEVICES) == rootfs


def test_kept_namespaces_are_found():
    assert mounts.kept_namespaces(mounts.parse(MOUNTS)) == [("net", 4026532674, "/run/netns/red")]


@pytest.mark.parametrize(("uid", "inside"), [(1000, 0), (1999, 999), (2000, -1), (999, -1), (5000, 7)])
def test_users_are_mapped(uid, inside):
    mapping = [{"inside": 0, "outside": 1000, "count": 1000}, {"inside": 7, "outside": 5000, "count": 1}]
    assert namespaces.map_uid(mapping, uid) == inside


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def test_a_link_message_becomes_an_interface():
    body = struct.pack("=BxHiII", 0, 1, 2, 1, 0) + attribute(3, b"v0\0") + attribute(4, struct.pack("=I", 1500)) \
        + attribute(1, bytes.fromhex("261b4d6a4030")) + attribute(5, struct.pack("=I", 9)) \
        + attribute(18, attribute(1, b"veth\0")) + attribute(37, struct.pack("=I", 0))
    found = network.parse_link(body)
    assert (found["name"], found["kind"], found["mac"], found["peer_index"], found["is_up"], found["is_here"]) == (
        "v0", "veth", "26:1b:4d:6a:40:30", 9, True, False)


def test_an_address_and_a_route_become_text():
    assert network.parse_address(struct.pack("=BBBBi", 2, 24, 0, 0, 2) + attribute(2, bytes([10, 1, 0, 1]))) == (2, "10.1.0.1/24")
    body = struct.pack("=BBBBBBBBI", 2, 0, 0, 0, 254, 0, 0, 1, 0) + attribute(5, bytes([10, 1, 0, 254])) \
        + attribute(4, struct.pack("=I", 2))
    assert network.parse_route(body) == {"destination": "default", "gateway": "10.1.0.254", "interface": 2}
    assert network.parse_route(struct.pack("=BBBBBBBBI", 2, 32, 0, 0, 255, 0, 0, 2, 0)) is None


def test_attributes_that_lie_about_their_length_end_the_list():
    assert network.attributes(struct.pack("=HH", 2, 3) + b"xxxx") == {}


def test_veth_ends_find_each_other_even_with_equal_numbers():
    def veth(index, peer, is_here):
        return {"name": "v", "index": index, "kind": "veth", "peer_index": peer, "peer_ns": 0, "is_here": is_here}
    networks = [{"ns": 1, "interfaces": [veth(2, 2, False), veth(5, 6, True), veth(6, 5, True), veth(9, 9, False)]},
                {"ns": 2, "interfaces": [veth(2, 2, False)]}]
    network.join(networks)
    assert [link["peer_ns"] for link in networks[0]["interfaces"]] == [2, 1, 1, 0]
    assert networks[1]["interfaces"][0]["peer_ns"] == 1


def test_socket_tables_are_read_in_the_machines_order():
    table = (b"  sl  local_address rem_address   st\n   0: 0100007F:1F90 00000000:0000 0A 0:0\n"
             b"   1: 0100007F:1F91 00000000:0000 01 0:0\n")
    assert list(network.parse_sockets(table, "0A")) == [("127.0.0.1", 8080)]


def process(pid, ppid=0, depth=0, inside=9, program="sleep", group="/", **more):
    return {"pid": pid, "ppid": ppid, "pids": [pid], "depth": depth, "pid_inside": inside, "pid_sandbox": pid, "program": program,
            "command": program, "hostname": "lab", "apart": ["pid", "mnt"] if depth else [], "rootfs": "/", "engine": "",
            "cgroup": {"pids": group}, "ns": {"pid": 100 + depth}, **more}


ID = "0123456789abcdef" * 4


@pytest.mark.parametrize(("group", "starter", "kind", "name"), [
    (f"/docker/{ID}", "containerd-shim-runc-v2", "docker", ID[:12]), (f"/libpod_parent/libpod-{ID}", "conmon", "podman", ID[:12]),
    (f"/kubepods/besteffort/pod1/{ID}", "containerd-shim-runc-v2", "kubernetes", ID[:12]), ("/lxc/web", "lxc-start", "lxc", "web"),
    ("/lxc.payload.web", "init", "lxc", "web"), ("/default/redis", "containerd-shim-runc-v2", "containerd", "redis"),
    ("/demo", "crun", "oci", "demo"), ("/demo", "init", "oci", "demo"), ("/", "systemd-nspawn", "nspawn", "lab"),
    ("/", "unshare", "container", "lab")])
def test_engines_are_told_apart(group, starter, kind, name):
    listed = [process(1, inside=1), process(5, 1, program=starter), process(6, 5, 1, 1, group=group), process(7, 6, 1, 2, group=group)]
    [found] = engines.collect(listed)
    assert (found["kind"], found["name"], found["pid"], found["members"]) == (kind, name, 6, [6, 7])
    assert [entry["engine"] for entry in listed] == ["", "", f"{kind}:{name}", f"{kind}:{name}"]


def test_a_virtual_machine_is_one_process_with_a_name():
    listed = [process(1, inside=1), process(5, 1, program="qemu-system-x86_64", command="qemu-system-x86_64 -m 96 -name guest,debug-threads=on")]
    assert [(found["kind"], found["name"]) for found in engines.collect(listed)] == [("vm", "guest")]
