"""Reading a published bundle: everything in it is held against this host's rules before root acts on it."""

import dataclasses
import os
from types import SimpleNamespace

import pytest

from runtime_agent import content, fleet, lab_reader
from runtime_agent.errors import AgentError
from runtime_agent.lab import Preview
from tests.agent.labs import lab_document, publish, task

BOUNDS = lab_reader.Bounds(memory_bytes=1 << 30, pids=512, cpus=2.0, disk_bytes=1 << 30, machines=2)


def refused(tmp_path, reason, document=None, files=None):
    digest = publish(tmp_path, document, files)
    with pytest.raises(AgentError) as caught:
        content.load_lab(tmp_path, digest, BOUNDS)
    assert caught.value.reason == reason
    return str(caught.value)


def with_machine(**fields):
    document = lab_document()
    document["machines"]["box"].update(fields)
    return document


def test_a_good_bundle_is_read_whole(tmp_path):
    lab = content.load_lab(tmp_path, publish(tmp_path), BOUNDS)
    assert [item.id for item in lab.tasks] == ["one", "two", "three"]
    assert lab.tasks[1].needs == ("one",)
    assert lab.machines["box"].user == "student"
    assert lab.steps == ("first", "second")
    assert [block.step for block in lab.solutions] == ["first", "second"]


@pytest.mark.parametrize("digest", [None, 7, "", "x" * 64, "../" + "a" * 61, "A" * 64, "a" * 63])
def test_what_is_not_a_digest_never_reaches_the_disk(tmp_path, digest):
    with pytest.raises(AgentError) as caught:
        content.load_lab(tmp_path, digest, BOUNDS)
    assert caught.value.reason == "unknown-lab"


def test_a_digest_that_is_not_published_is_unknown(tmp_path):
    with pytest.raises(AgentError) as caught:
        content.load_lab(tmp_path, "a" * 64, BOUNDS)
    assert caught.value.reason == "unknown-lab"


def test_an_altered_check_is_noticed(tmp_path):
    digest = publish(tmp_path)
    (tmp_path / digest / "checks" / "one.sh").write_text("exit 0\n")
    with pytest.raises(AgentError) as caught:
        content.load_lab(tmp_path, digest, BOUNDS)
    assert caught.value.reason == "unknown-lab"


@pytest.fixture
def known(tmp_path, monkeypatch):
    """A bundle that was read and found good, and how often it is read from now on."""
    monkeypatch.setattr(content, "SETTLED_SECONDS", -1)
    digest, read = publish(tmp_path), []
    lab, load = content.load_lab(tmp_path, digest, BOUNDS), content._load
    monkeypatch.setattr(content, "_load", lambda *given: read.append(1) or load(*given))
    return SimpleNamespace(digest=digest, read=read, lab=lab, folder=tmp_path / digest, top=tmp_path)


def test_a_bundle_that_is_as_it_was_is_not_read_again(known):
    assert content.load_lab(known.top, known.digest, BOUNDS) is known.lab
    assert known.read == []
    with pytest.raises(AgentError):
        content.load_lab(known.top, known.digest, dataclasses.replace(BOUNDS, memory_bytes=1))


@pytest.mark.parametrize("change", [
    lambda file: file.write_bytes(file.read_bytes().swapcase()),
    lambda file: (file.with_name("new").write_bytes(file.read_bytes().swapcase()), file.with_name("new").rename(file)),
    lambda file: file.unlink(), lambda file: file.with_name("more.sh").touch(), lambda file: file.with_name("odd").symlink_to("/etc"),
    lambda file: (file.unlink(), file.symlink_to("/etc/shadow"))])
def test_a_bundle_that_was_good_is_read_again_when_it_changes_whatever_its_times_say(known, change):
    file = known.folder / "checks" / "one.sh"
    times = file.stat()
    change(file)
    for path in (file, file.parent):
        if path.exists() and not path.is_symlink():
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    with pytest.raises(AgentError, match=r".") as caught:
        content.load_lab(known.top, known.digest, BOUNDS)
    assert caught.value.reason == "unknown-lab" and known.read


def test_what_was_written_a_moment_ago_is_read_again(known, monkeypatch):
    monkeypatch.setattr(content, "SETTLED_SECONDS", 60)
    content._known.clear()
    for _ in range(2):
        content.load_lab(known.top, known.digest, BOUNDS)
    assert len(known.read) == 2


def test_an_added_file_is_noticed(tmp_path):
    digest = publish(tmp_path)
    (tmp_path / digest / "checks" / "extra.sh").write_text("exit 0\n")
    with pytest.raises(AgentError):
        content.load_lab(tmp_path, digest, BOUNDS)


@pytest.mark.parametrize("make", [
    lambda path: path.symlink_to("/etc/shadow"), lambda path: os.mkfifo(path)])
def test_what_is_not_a_plain_file_is_refused(tmp_path, make):
    digest = publish(tmp_path)
    make(tmp_path / digest / "checks" / "odd")
    with pytest.raises(AgentError) as caught:
        content.load_lab(tmp_path, digest, BOUNDS)
    assert caught.value.reason == "unknown-lab"


def test_a_linked_folder_is_refused(tmp_path):
    digest = publish(tmp_path)
    (tmp_path / digest / "linked").symlink_to("/etc")
    with pytest.raises(AgentError):
        content.load_lab(tmp_path, digest, BOUNDS)


def test_a_file_over_the_cap_is_refused(tmp_path):
    at_cap = {"big": "x" * content.MAX_FILE_BYTES}
    content.load_lab(tmp_path, publish(tmp_path, files=at_cap), BOUNDS)
    refused(tmp_path, "unknown-lab", files={"big": "x" * (content.MAX_FILE_BYTES + 1)})


@pytest.mark.parametrize(("field", "most"), [
    ("memory_bytes", BOUNDS.memory_bytes), ("pids", BOUNDS.pids), ("cpus", BOUNDS.cpus),
    ("disk_bytes", BOUNDS.disk_bytes)])
def test_a_limit_is_allowed_up_to_the_bound_and_not_beyond(tmp_path, field, most):
    content.load_lab(tmp_path, publish(tmp_path, with_machine(**{field: most})), BOUNDS)
    assert field in refused(tmp_path, "bad-limit", with_machine(**{field: most + 1}))


@pytest.mark.parametrize(("field", "value"), [
    ("memory_bytes", -1), ("memory_bytes", "256M"), ("memory_bytes", True), ("pids", 0), ("pids", None),
    ("cpus", 0), ("cpus", float("nan")), ("cpus", "1"), ("disk_bytes", 1.5)])
def test_a_limit_that_is_no_limit_is_refused(tmp_path, field, value):
    refused(tmp_path, "bad-limit", with_machine(**{field: value}))


def test_one_machine_too_many_is_refused(tmp_path):
    machines = {name: lab_document()["machines"]["box"] for name in ("box", "two", "three")}
    refused(tmp_path, "bad-limit", lab_document(machines=machines))
    two = {name: machines[name] for name in ("box", "two")}
    content.load_lab(tmp_path, publish(tmp_path, lab_document(machines=two)), BOUNDS)


def test_one_task_too_many_is_refused(tmp_path):
    check = task("one", "first")["check"]
    tasks = [task(f"t{number}", "first", check=check) for number in range(lab_reader.MAX_TASKS + 1)]
    content.load_lab(tmp_path, publish(tmp_path, lab_document(tasks=tasks[1:])), BOUNDS)
    refused(tmp_path, "bad-limit", lab_document(tasks=tasks))


@pytest.mark.parametrize(("field", "value", "reason"), [
    ("profile", "privileged", "unknown-profile"), ("image", "../base", "unknown-image"),
    ("image", "", "unknown-image"), ("user", "root:0", "unknown-lab"), ("hostname", "a b", "unknown-lab")])
def test_a_name_that_is_none_is_refused(tmp_path, field, value, reason):
    refused(tmp_path, reason, with_machine(**{field: value}))


def test_a_machine_name_that_climbs_is_refused(tmp_path):
    document = lab_document(machines={"../x": lab_document()["machines"]["box"]})
    refused(tmp_path, "unknown-lab", document)


@pytest.mark.parametrize("path", ["../../etc/passwd", "/etc/passwd", "checks/../lab.json", "checks/none.sh",
                                  "checks//one.sh", "./checks/one.sh", 5])
def test_a_check_is_a_file_of_its_bundle(tmp_path, path):
    entry = task("one", "first", check={"run": path, "user": "root", "timeout": 5})
    refused(tmp_path, "unknown-lab", lab_document(tasks=[entry]))


@pytest.mark.parametrize("timeout", [0, -1, 61, "5", True])
def test_a_check_has_a_bounded_time(tmp_path, timeout):
    entry = task("one", "first", check={"run": "checks/one.sh", "user": "root", "timeout": timeout})
    refused(tmp_path, "bad-limit", lab_document(tasks=[entry]))


@pytest.mark.parametrize("tasks", [
    [task("one", "nowhere")], [task("one", "first"), task("one", "second")],
    [task("two", "first", needs=["one"]), task("one", "first")],
    [task("one", "first", machine="other")]])
def test_tasks_that_contradict_each_other_are_refused(tmp_path, tasks):
    refused(tmp_path, "unknown-lab", lab_document(tasks=tasks))


def test_another_format_is_refused(tmp_path):
    refused(tmp_path, "unknown-lab", lab_document(format=2))


@pytest.mark.parametrize("text", ["[]", "null", "{}", "not json", '{"format": 1}'])
def test_a_lab_json_that_is_something_else_is_refused(tmp_path, text):
    refused(tmp_path, "unknown-lab", files={"lab.json": text})


def test_the_host_itself_bounds_memory_and_cores():
    bounds = lab_reader.Bounds.of_this_host()
    assert bounds.cpus == os.cpu_count()
    assert bounds.memory_bytes <= os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert dataclasses.asdict(bounds)["machines"] == 4


def test_the_digest_names_paths_and_bytes():
    one = fleet.digest_of({"a": b"x", "b": b"y"})
    assert one == fleet.digest_of({"b": b"y", "a": b"x"})
    assert len({one, fleet.digest_of({"a": b"y", "b": b"x"}), fleet.digest_of({"a": b"x"})}) == 3


def with_networks(*networks, **changes):
    """A lab of the machines box and two, wired as given."""
    box = lab_document()["machines"]["box"]
    return lab_document(machines={"box": box, "two": box}, networks=list(networks), **changes)


def lan(**changes):
    return {"name": "lan", "machines": ["two", "box"], "subnet": "10.20.0.0/30", **changes}


def test_networks_and_previews_are_read_in_order(tmp_path):
    document = with_networks(lan(), lan(name="other", subnet="192.168.7.0/24"),
                             previews=[{"title": "Web", "machine": "two", "port": 65535}])
    lab = content.load_lab(tmp_path, publish(tmp_path, document), BOUNDS)
    assert [(each.name, each.machines, str(each.subnet)) for each in lab.networks] == [
        ("lan", ("two", "box"), "10.20.0.0/30"), ("other", ("two", "box"), "192.168.7.0/24")]
    assert lab.previews == (Preview("two", 65535),)


@pytest.mark.parametrize("network", [
    lan(subnet="10.20.0.0/31"), lan(subnet="10.20.0.1/24"), lan(subnet="169.254.0.0/24"), lan(subnet="8.8.8.0/24"),
    lan(subnet="0.0.0.0/0"), lan(subnet="fd00::/64"), lan(subnet=7), lan(machines=["box", "box"]),
    lan(machines=["box", "three"]), lan(name="../lan"), {"name": "lan"}])
def test_a_network_that_breaks_a_rule_is_refused(tmp_path, network):
    assert refused(tmp_path, "unknown-lab", with_networks(network))


@pytest.mark.parametrize("second", [lan(name="two", subnet="10.0.0.0/8"), lan(subnet="10.30.0.0/24")])
def test_networks_overlap_neither_in_addresses_nor_in_names(tmp_path, second):
    refused(tmp_path, "unknown-lab", with_networks(lan(), second))


@pytest.mark.parametrize("port", [0, 65536, -1, "80", True, None])
def test_a_preview_names_a_port(tmp_path, port):
    refused(tmp_path, "unknown-lab", lab_document(previews=[{"title": "Web", "machine": "box", "port": port}]))


def test_what_a_nested_machine_allows_is_read(tmp_path):
    lab = content.load_lab(tmp_path, publish(tmp_path, with_machine(profile="nested", allow=["trace", "packet-sockets"])), BOUNDS)
    assert lab.machines["box"].allow == ("packet-sockets", "trace")


@pytest.mark.parametrize("machine", [
    {"profile": "standard", "allow": ["trace"]}, {"profile": "nested", "allow": ["everything"]},
    {"profile": "nested", "allow": "trace"}, {"profile": "nested", "allow": [1]}])
def test_what_no_machine_may_allow_is_refused(tmp_path, machine):
    assert "allow" in refused(tmp_path, "unknown-lab", with_machine(**machine))
