"""Every tool of the course, really used inside a nested sandbox: one sandbox, one test a tool.

Each script runs under ``bash -e``; what it must print proves that the thing itself happened (a container's own answer,
a page served across a network), not that a command came back.
"""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Iterator

import pytest

from runtime_agent import cgroup, sandbox, spawn
from tests.instance import PATIENCE
from tests.sandbox.machines import specification

GIB = 1 << 30
TREE = "/opt/images/rootfs"
GROUP = {1: """
    group=/sys/fs/cgroup/memory/mine; mkdir $group; echo 50M > $group/memory.limit_in_bytes
    sh -c "echo \\$\\$ > $group/cgroup.procs; cat /proc/self/cgroup" | grep memory; cat $group/memory.limit_in_bytes
    rmdir $group""", 2: """
    mkdir /sys/fs/cgroup/mine /sys/fs/cgroup/rest; for pid in $(cat /sys/fs/cgroup/cgroup.procs); do
        echo $pid > /sys/fs/cgroup/rest/cgroup.procs || true; done
    echo +memory > /sys/fs/cgroup/cgroup.subtree_control; echo 50M > /sys/fs/cgroup/mine/memory.max
    sh -c "echo \\$\\$ > /sys/fs/cgroup/mine/cgroup.procs; cat /proc/self/cgroup"; cat /sys/fs/cgroup/mine/memory.max"""}
"""A group of one's own, by version; prints its name and 52428800."""

ACI = """{"acKind":"ImageManifest","acVersion":"0.8.11","name":"example.com/id","app":{"exec":["/bin/id"],"user":"0","group":"0"}}"""

TOOLS = {
    "unshare-uts": ("unshare --uts sh -c 'hostname inner; hostname'; hostname", r"^inner\nlab$"),
    "unshare-pid": ("unshare --pid --fork --mount-proc ps -o pid= -C ps", r"^1$"),
    "unshare-user": ("unshare --user --map-root-user --pid --fork --mount-proc sh -c 'id -u; ps -o pid= -C sh'", r"^0\n\s+1$"),
    "unshare-mount": ("unshare --mount sh -c 'mount -t tmpfs t /mnt; touch /mnt/in; ls /mnt'; ls /mnt", r"^in$"),
    "unshare-net": ("unshare --net ip -brief link", r"^lo "),
    "unshare-ipc": ("ipcmk -Q > /dev/null; unshare --ipc ipcs -q | grep -c 0x || true", r"^0$"),
    "unshare-cgroup": ("unshare --cgroup cat /proc/self/cgroup", r":/$"),
    "nsenter": ("""unshare --uts sh -c 'hostname inner; exec sleep 30' & pid=$!
        until [ "$(nsenter -t $pid -u hostname)" = inner ]; do sleep 0.1; done; nsenter -t $pid -u hostname; kill $pid""",
                r"^inner$"),
    "ip-netns": ("""ip netns add a; ip netns add b; ip link add va netns a type veth peer name vb netns b
        ip -n a addr add 10.1.1.1/24 dev va; ip -n b addr add 10.1.1.2/24 dev vb; ip -n a link set va up; ip -n b link set vb up
        ip netns exec a ping -c 2 -W 2 10.1.1.2; ip netns del a; ip netns del b""", r"[12] received"),
    "overlay": ("""cd /var/lib/containers; mkdir low up work all; echo below > low/file
        mount -t overlay o -o lowerdir=low,upperdir=up,workdir=work all; echo above > all/file; cat low/file up/file
        umount all; rm -r low up work all""", r"^below\nabove$"),
    "pivot-root": ("""unshare --mount sh -ec 'mount --rbind /opt/images/rootfs /mnt; mount -t tmpfs t /mnt/tmp; mkdir /mnt/tmp/old
        cd /mnt; pivot_root . tmp/old; exec /bin/cat /etc/os-release'""", r"ID=busybox"),
    "nft": ("""nft add table inet t; nft add chain inet t c '{ type filter hook input priority 0; }'
        nft add rule inet t c ip daddr 127.0.0.9 counter drop; ! timeout 2 ping -c 1 -W 1 127.0.0.9; nft list chain inet t c
        nft delete table inet t""", r"counter packets [1-9]"),
    "strace": ("strace -f -e trace=execve sh -c id 2>&1", r"execve\("),
    "runc": ("""mkdir -p /root/bundle; cp -a /opt/images/rootfs /root/bundle/; cd /root/bundle; runc spec
        sed -i 's/"terminal": true/"terminal": false/; s/"sh"$/"hostname"/' config.json; runc run one""", r"^runc$"),
    "crun": ("cd /root/bundle; crun run two", r"^runc$"),
    "podman-run": ("""podman load -q -i /opt/images/busybox.tar; podman run --rm --memory 40m busybox sh -c 'id -u; ps'""",
                   r"^0\nPID.*\n\s+1 "),
    "podman-build": ("""mkdir -p /root/web; printf 'FROM busybox\\nRUN mkdir /www && echo served > /www/index.html\\n\
CMD ["httpd","-f","-p","80","-h","/www"]\\n' > /root/web/Dockerfile; podman build -q -t web /root/web
        podman run --rm web cat /www/index.html""", r"^served$"),
    "podman-network": ("""podman network create lab; podman run -d --network lab --name server -p 8081:80 web
        podman run --rm --network lab busybox sh -c 'until wget -q -O- http://server/; do sleep 0.2; done'
        curl -s localhost:8081; podman rm -f -t 0 server; podman network rm lab""", r"served\nserved\n"),
    "podman-pod": ("""podman pod create --name pod; podman run -d --pod pod web
        podman run --rm --pod pod busybox sh -c 'until wget -q -O- http://localhost/; do sleep 0.2; done'
        podman pod ps --format '{{.Name}} {{.NumberOfContainers}}'; podman pod rm -f -t 0 pod""", r"served\npod [23]\n"),
    "buildah": ("""box=$(buildah from busybox); buildah run $box sh -c 'echo built > /made'; buildah commit -q $box made
        podman run --rm made cat /made""", r"^built$"),
    "skopeo-umoci": ("""skopeo copy -q docker-archive:/opt/images/web.tar oci:/root/layout:web
        umoci unpack --image /root/layout:web /root/unpacked; cat /root/unpacked/rootfs/www/index.html""", r"It works"),
    "docker-run": ("engine-up docker; docker run --rm hello; docker info -f '{{.Driver}} {{.CgroupDriver}} {{.DefaultRuntime}}'",
                   r"Hello from a container\noverlay2 cgroupfs runc"),
    "docker-build": ("DOCKER_BUILDKIT=0 docker build -q -t web /root/web; docker run --rm web cat /www/index.html", r"^served$"),
    "docker-buildkit": ("""DOCKER_BUILDKIT=1 docker build --no-cache --progress plain -t kit /root/web 2>&1
        docker run --rm kit cat /www/index.html""", r"exporting to image[\s\S]*\nserved$"),
    "docker-limits": ("""docker run --rm --memory 32m --pids-limit 20 busybox sh -c 'cat /sys/fs/cgroup/memory/memory.limit_in_bytes \
2> /dev/null || cat /sys/fs/cgroup/memory.max'""", r"^33554432$"),
    "docker-network": ("""docker network create lab; docker run -d --network lab --name server -p 8082:80 kit
        docker run --rm --network lab busybox sh -c 'until wget -q -O- http://server/; do sleep 0.2; done'
        curl -s localhost:8082; docker rm -f server; docker network rm lab""", r"served\nserved\n"),
    "docker-registry": ("""engine-up registry; docker tag kit localhost:5000/kit:1; docker push -q localhost:5000/kit:1
        docker rmi -f kit localhost:5000/kit:1 > /dev/null; curl -s localhost:5000/v2/_catalog
        docker pull -q localhost:5000/kit:1; docker run --rm localhost:5000/kit:1 cat /www/index.html
        podman pull -q localhost:5000/kit:1; podman run --rm localhost:5000/kit:1 cat /www/index.html""",
                        r'\{"repositories":\["kit"\]\}[\s\S]*served\n[\s\S]*served$'),
    "docker-api": ("curl -s --unix-socket /run/docker.sock http://docker/version | jq -r .Os", r"^linux$"),
    "containerd": ("engine-up containerd; ctr -n k8s.io run --rm docker.io/library/busybox:latest one hostname -s; "
                   "ctr -n k8s.io images ls -q", r"localhost/pause:1"),
    "lxc": ("""engine-up lxc; lxc-create -n box -t busybox > /dev/null; lxc-start -n box; lxc-wait -n box -s RUNNING -t 10
        lxc-attach -n box -- hostname; limit=memory.limit_in_bytes; lxc-cgroup -n box $limit 64M 2> /dev/null || {
        limit=memory.max; lxc-cgroup -n box $limit 64M; }; lxc-cgroup -n box $limit; lxc-info -n box -s; lxc-freeze -n box; lxc-info -n box -s; lxc-unfreeze -n box
        lxc-stop -k -n box; lxc-info -n box -s""", r"^box\n67108864\n[\s\S]*RUNNING\n[\s\S]*FROZEN\n[\s\S]*STOPPED"),
    "nspawn": (f"""cp -a {TREE} /root/machine; systemd-nspawn -q -D /root/machine -M machine --register=no --keep-unit --pipe \
--private-network sh -c 'hostname; ip link; ps'""", r"^machine\n1: lo: [\s\S]*\n\s+1 root"),
    "aci": (f"""mkdir -p /root/aci; cp -a {TREE} /root/aci/rootfs; echo '{ACI}' > /root/aci/manifest; cd /root
        actool build --overwrite aci id.aci; actool --debug validate id.aci 2>&1; mkdir -p pod; tar -C pod -xf id.aci
        chroot pod/rootfs $(jq -r '.app.exec[]' pod/manifest)""", r"valid app container image[\s\S]*uid=0"),
}
TOOLS["cgroup"] = (GROUP[cgroup.version()], r"/mine\n52428800")


@pytest.fixture(scope="module")
def engines(agent) -> Iterator[sandbox.Sandbox]:
    """One nested sandbox of the image ``engines`` for the whole matrix, as a lab would have it."""
    spec = specification("nested")
    box = sandbox.create(agent, sandbox.Spec(
        str(uuid.uuid4()), "box", "engines", "nested", "root", "lab", 3 * GIB // 2, 1024, float(min(2, os.cpu_count() or 1)),
        4 * GIB, allow=spec.allow))
    yield box
    sandbox.delete(agent, box.session_id, box.machine)


def bash(agent, box, script: str, user: str = "root", timeout: float = 60) -> spawn.Result:
    return spawn.run(agent, box, ["/bin/bash", "-ec", script], user, timeout * PATIENCE)


@pytest.mark.parametrize("tool", TOOLS)
def test_the_tool_does_its_work(agent, engines, tool):
    script, expected = TOOLS[tool]
    result = bash(agent, engines, script)
    assert result.status == 0, result.output[-1500:]
    assert re.search(expected, result.output.strip(), re.MULTILINE), result.output[-1500:]


# --- what a lab may open besides --------------------------------------------------------------------------

OPENED = {
    "packet-sockets": ("""ip link set lo up; tcpdump -c 1 -i lo icmp > /tmp/seen 2>&1 & sleep 1; ping -c 3 127.0.0.1 > /dev/null
        sleep 0.5; cat /tmp/seen; kill %1 2> /dev/null""", "root", "ICMP echo request"),
    "new-privileges": ("""unshare --user sh -c 'sleep 5' & pid=$!; sleep 0.5
        newuidmap $pid 0 1000 1 1 10000 100 2>&1; cat /proc/$pid/uid_map; kill $pid""", "student", "10000        100"),
    "trace": ("""setpriv --reuid nobody --clear-groups sleep 30 & other=$!; sleep 0.5
        timeout 2 strace -p $other -o /tmp/trace 2>&1; cat /tmp/trace; kill $other""", "root", "nanosleep|restart_syscall"),
}


@pytest.mark.parametrize("permission", OPENED)
def test_what_a_lab_allows_works_and_is_closed_otherwise(make, agent, permission):
    script, user, expected = OPENED[permission]
    closed, opened = make("nested", image="engines"), make("nested", image="engines", allow=(permission,))
    for box, works in ((closed, False), (opened, True)):
        output = spawn.run(agent, box, ["/bin/bash", "-c", script], user, 40 * PATIENCE).output
        assert bool(re.search(expected, output)) is works, (works, output[-1500:])


def test_a_plain_user_works_in_a_nested_sandbox(make, agent):
    box = make("nested", image="engines", user="student")
    result = spawn.run(agent, box, ["/bin/bash", "-c", "id -un; unshare --user --map-root-user id -u; mount -t tmpfs t /mnt"],
                       "student", 20 * PATIENCE)
    assert result.output.startswith("student\n0\n")
    assert result.status != 0
