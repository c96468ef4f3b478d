"""A tree's digest notices every change, and settled trees have the same one."""

import os
import stat

import pytest

from runtime_agent import tree


@pytest.fixture
def root(tmp_path):
    top = tmp_path / "root"
    (top / "etc").mkdir(parents=True)
    (top / "etc" / "hostname").write_text("lab\n")
    (top / "bin").symlink_to("usr/bin")
    tree.settle(top)
    return top


CHANGES = {
    "content": lambda top: (top / "etc/hostname").write_text("lob\n"),
    "mode": lambda top: (top / "etc/hostname").chmod(0o600),
    "set-user-id": lambda top: (top / "etc/hostname").chmod(0o4755),
    "link": lambda top: ((top / "bin").unlink(), (top / "bin").symlink_to("usr/sbin")),
    "new file": lambda top: (top / "etc/extra").touch(),
    "lost file": lambda top: (top / "etc/hostname").unlink(),
    "kind": lambda top: ((top / "etc/hostname").unlink(), (top / "etc/hostname").mkdir()),
    "attribute": lambda top: os.setxattr(top / "etc/hostname", "user.x", b"1"),
    "time": lambda top: os.utime(top / "etc/hostname", (1, 1)),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_every_change_gives_another_digest(root, change):
    before = tree.digest(root)
    change(root)
    if change is not CHANGES["time"]:
        tree.settle(root)
    assert tree.digest(root) != before


def test_reading_a_tree_changes_nothing(root):
    assert tree.digest(root) == tree.digest(root)


def test_settling_takes_the_time_of_the_build_out(root, tmp_path):
    before = tree.digest(root)
    os.utime(root / "etc" / "hostname")
    assert tree.digest(root) != before
    tree.settle(root)
    assert tree.digest(root) == before


def test_older_times_stay(root):
    os.utime(root / "etc" / "hostname", (1000, 1000))
    tree.settle(root)
    assert (root / "etc" / "hostname").stat().st_mtime == 1000


def test_cleaning_takes_logs_and_the_host_s_ids_but_no_folder(root):
    for name in ("var/log/dpkg.log", "var/log/apt/history.log", "var/lib/dbus/machine-id", "etc/passwd-"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("x")
    tree.clean(root)
    assert [path.name for path in (root / "var").rglob("*") if not stat.S_ISDIR(path.lstat().st_mode)] == []
    assert (root / "var/log/apt").is_dir()
    assert not (root / "etc/passwd-").exists()


def test_hard_links_are_counted_once(root):
    (root / "big").write_bytes(b"x" * 40960)
    once = tree.size_bytes(root)
    os.link(root / "big", root / "again")
    assert tree.size_bytes(root) == once
