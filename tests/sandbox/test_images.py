"""Images for real: layers are built, mounted, kept for those who use them, collected, and never half there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import uuid
from dataclasses import replace
from pathlib import Path

import pytest

from runtime_agent import diskcopy, image_gc, image_progress, images, recipes, rootfs, sandbox, spawn
from runtime_agent.errors import AgentError
from tests.sandbox.conftest import IMAGES
from tests.sandbox.machines import specification

BUILD = """
import os, sys
from pathlib import Path
from runtime_agent import image_command, recipes, settings
recipes.RECIPES = Path(sys.argv[1])
sys.exit(image_command.main(settings.load(os.environ), sys.argv[2:]))
"""


@pytest.fixture
def stock(agent, tmp_path, monkeypatch):
    """Settings whose images are the host's base, by copying only its description, and what a test builds."""
    own = replace(agent, state_dir=tmp_path / "state")
    base = (IMAGES / "base" / "current").resolve()
    home = own.images_dir / "base" / base.name
    home.mkdir(parents=True)
    (home / "image.json").write_text((base / "image.json").read_text())
    (home / "rootfs").symlink_to(base / "rootfs")
    (own.images_dir / "base" / "current").symlink_to(base.name)
    folder = tmp_path / "recipes"
    shutil.copytree(recipes.RECIPES / "base", folder / "base")
    monkeypatch.setattr(recipes, "RECIPES", folder)
    monkeypatch.setattr(image_gc, "GRACE_SECONDS", 0.0)
    return own


def write(setup: str, name: str = "top", packages: str = "") -> None:
    folder = recipes.RECIPES / name
    folder.mkdir(exist_ok=True)
    for file, text in (("from", "base\n"), ("packages", packages), ("setup.sh", setup)):
        (folder / file).write_text(text)


def run(stock, *arguments: str) -> subprocess.CompletedProcess:
    """`image ...` in a process of its own, as an operator calls it."""
    return subprocess.run([sys.executable, "-c", BUILD, str(recipes.RECIPES), *arguments], text=True, check=False,
                          capture_output=True, input="", cwd=Path(__file__).parents[2],
                          env={**os.environ, "BULKHEAD_STATE_DIR": str(stock.state_dir)})


@pytest.fixture
def start(stock):
    boxes = []

    def make(image: str = "top", session: str = "") -> sandbox.Sandbox:
        spec = replace(specification("standard"), image=image, session_id=session or str(uuid.uuid4()))
        boxes.append(sandbox.create(stock, spec))
        return boxes[-1]

    yield make
    for box in boxes:
        sandbox.delete(stock, box.session_id, box.machine)


def say(stock, box, line: str) -> str:
    return spawn.run(stock, box, ["/bin/sh", "-c", line], "root", 20).output.strip()


def test_a_layer_adds_changes_and_hides_what_lies_below(stock, start):
    write("echo mine > /etc/mine; echo changed > /etc/hostname; rm -r /usr/share/bash-completion /etc/issue\n"
          "mkdir -p /srv/owned; chown 1000:1000 /srv/owned; chmod 4755 /bin/cat; echo new > /.recipe/seen\n")
    done = run(stock, "build", "top")
    assert done.returncode == 0, done.stderr
    box = start()
    assert say(stock, box, "cat /etc/mine; ls -d /.recipe /etc/issue /usr/share/bash-completion 2>/dev/null") == "mine"
    assert say(stock, box, "stat -c '%U %n' /srv/owned; stat -c '%a' /bin/cat") == "student /srv/owned\n4755"
    assert say(stock, box, "command -v strace") == "/usr/bin/strace"
    assert say(stock, box, "touch /bin/cat /etc/mine && echo writable") == "writable"


def test_two_builds_have_the_same_digest(stock):
    write("echo mine > /etc/mine; date > /var/log/built; useradd --create-home --uid 1234 somebody\n", packages="tree\n")
    assert run(stock, "build", "top").returncode == 0
    first = images.facts(stock, images.current(stock, "top"))
    shutil.rmtree(stock.images_dir / "top")
    assert run(stock, "build", "top").returncode == 0
    second = images.facts(stock, images.current(stock, "top"))
    assert (first["digest"], first["below"]) == (second["digest"], second["below"])


def test_what_fails_half_way_leaves_nothing_but_its_reason(stock):
    write("echo half > /etc/half; echo the last words >&2; exit 3\n")
    mounts = Path("/proc/self/mounts").read_text()
    done = run(stock, "build", "top")
    assert done.returncode == 1
    assert "the last words" in done.stderr
    assert "try again: sudo ./lab image build top" in done.stderr
    assert [path.name for path in (stock.images_dir / "top").iterdir()] == ["progress.json"]
    assert Path("/proc/self/mounts").read_text() == mounts
    state = next(line for line in image_progress.states(stock) if line["name"] == "top")
    assert (state["state"], state["version"]) == ("failed", "")
    assert "the last words" in state["message"]
    with pytest.raises(AgentError, match="unknown-image"):
        images.current(stock, "top")


def test_a_failed_build_leaves_the_version_before_it_in_use(stock, start):
    write("echo one > /etc/mine\n")
    assert run(stock, "build", "top").returncode == 0
    write("echo two > /etc/mine; false\n")
    assert run(stock, "build", "top").returncode == 1
    assert say(stock, start(), "cat /etc/mine") == "one"


def test_a_package_that_is_not_there_is_named(stock):
    write("true\n", packages="no-such-package-anywhere\n")
    done = run(stock, "build", "top")
    assert done.returncode == 1
    assert "no-such-package-anywhere" in done.stderr


def test_a_kept_disk_keeps_its_version_until_it_is_dropped(stock, start):
    write("echo one > /etc/mine\n")
    assert run(stock, "build", "top").returncode == 0
    old = images.current(stock, "top")
    box = start()
    say(stock, box, "echo written > /root/note")
    write("echo two > /etc/mine\n")
    assert run(stock, "build", "top").returncode == 0
    assert images.current(stock, "top") != old
    assert image_gc.collect(stock) == []
    sandbox.delete(stock, box.session_id, box.machine, keep_disk=True)
    assert image_gc.collect(stock) == []
    resumed = start(session=box.session_id)
    assert say(stock, resumed, "cat /etc/mine /root/note") == "one\nwritten"
    assert say(stock, start(), "cat /etc/mine") == "two"
    sandbox.delete(stock, box.session_id, box.machine)
    assert [reference for reference, _ in image_gc.collect(stock)] == [old]
    assert not (stock.images_dir / old).exists()


def test_a_layer_below_a_used_one_is_not_collected(stock):
    write("echo one > /etc/mine\n")
    assert run(stock, "build", "top").returncode == 0
    below = images.current(stock, "base")
    other = stock.images_dir / "base" / "0000000000000000"
    shutil.copytree(stock.images_dir / below, other, symlinks=True)
    (stock.images_dir / "base" / "current").unlink()
    (stock.images_dir / "base" / "current").symlink_to(other.name)
    assert image_gc.collect(stock) == []
    assert len(images.layers(stock, images.current(stock, "top"))) == 2


def test_an_altered_layer_is_noticed(stock):
    write("echo one > /etc/mine\n")
    assert run(stock, "build", "top").returncode == 0
    reference = images.current(stock, "top")
    facts = stock.images_dir / "base" / "current" / "image.json"
    facts.write_text(json.dumps({**json.loads(facts.read_text()), "digest": "0" * 64}))
    (stock.images_dir / reference / "rootfs" / "etc" / "mine").write_text("two\n")
    done = run(stock, "verify", "top")
    assert done.returncode == 1
    assert f"{reference} was altered" in done.stderr


def test_a_layer_that_is_gone_is_said_plainly(stock):
    write("true\n")
    assert run(stock, "build", "top").returncode == 0
    (stock.images_dir / "base" / "current").resolve().rename(stock.images_dir / "base" / "elsewhere")
    with pytest.raises(AgentError, match="which is not on this host"):
        images.layers(stock, images.current(stock, "top"))


def test_a_point_to_go_back_to_keeps_its_version(stock, start):
    write("echo one > /etc/mine\n")
    assert run(stock, "build", "top").returncode == 0
    old = images.current(stock, "top")
    box = start()
    point, disk = stock.agent_dir / "points" / "box.img", rootfs.disk_path(stock, box.spec.name)
    point.parent.mkdir()
    diskcopy.freeze_and_copy(diskcopy.Source("box", disk, rootfs.disk_mount(box.container)), point)
    write("echo two > /etc/mine\n")
    assert run(stock, "build", "top").returncode == 0
    sandbox.delete(stock, box.session_id, box.machine)
    assert image_gc.collect(stock) == []
    diskcopy.copy_back(point, disk)
    assert rootfs.image_of(stock, box.spec) == old
    disk.unlink()
    point.unlink()
    assert [reference for reference, _ in image_gc.collect(stock)] == [old]


def test_a_disk_s_file_names_its_image(stock, start):
    write("true\n")
    assert run(stock, "build", "top").returncode == 0
    box = start()
    mark = os.getxattr(rootfs.disk_path(stock, box.spec.name), rootfs.IMAGE_ATTRIBUTE).decode()
    assert mark == images.current(stock, "top")
