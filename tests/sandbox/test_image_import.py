"""An operator's own image: from archives and folders, made usable, and refused with a reason when it can't be."""

from __future__ import annotations

import os
import subprocess
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from runtime_agent import image_gc, image_import, images, sandbox, spawn
from runtime_agent.recipes import ImageError
from tests.sandbox.conftest import IMAGES
from tests.sandbox.machines import specification

MAKER = Path(__file__).parents[2] / "labs/images/engines/files/image-archive"


@pytest.fixture
def stock(agent, tmp_path):
    return replace(agent, state_dir=tmp_path / "state")


@pytest.fixture
def tree(tmp_path):
    """A root tree with busybox, its shell and a set-user-id program."""
    root = tmp_path / "tree"
    (root / "bin").mkdir(parents=True)
    (root / "bin" / "busybox").write_bytes(Path("/bin/busybox").read_bytes())
    (root / "bin" / "busybox").chmod(0o4755)
    for applet in ("sh", "cat", "id", "ls"):
        (root / "bin" / applet).symlink_to("busybox")
    return root


def archive(tree: Path, target: Path) -> Path:
    subprocess.run(["/bin/sh", str(MAKER), "mine:1", str(tree), '{"Cmd":["sh"]}', str(target)], check=True)
    return target


def take(stock, source: Path | str) -> str:
    return image_import.import_image(stock, "mine", str(source), lambda percent, message: None)


def test_an_archive_becomes_an_image_that_sandboxes_run(stock, tree, tmp_path):
    said = []
    reference = image_import.import_image(stock, "mine", str(archive(tree, tmp_path / "mine.tar")),
                                          lambda percent, message: said.append(message))
    assert "1 set-user-id programs" in said[-1]
    assert image_gc.verify(stock, "mine") == [reference]
    box = sandbox.create(stock, replace(specification("standard"), image="mine"))
    try:
        shown = spawn.run(stock, box, ["/bin/sh", "-c", "id -un; cat /etc/passwd | busybox wc -l"], "student", 20).output
        assert shown == "student\n2\n"
    finally:
        sandbox.delete(stock, box.session_id, box.machine)


def test_the_same_archive_again_is_the_same_version(stock, tree, tmp_path):
    source = archive(tree, tmp_path / "mine.tar")
    assert take(stock, source) == take(stock, source)
    assert len(images.versions(stock)) == 1


def test_an_oci_archive_and_an_oci_folder_are_taken(stock, tree, tmp_path):
    source = archive(tree, tmp_path / "mine.tar")
    for target in (f"oci:{tmp_path}/folder:1", f"oci-archive:{tmp_path}/oci.tar"):
        subprocess.run(["skopeo", "--insecure-policy", "copy", "-q", f"docker-archive:{source}", target], check=True)
    assert take(stock, tmp_path / "folder").startswith("mine/")
    assert take(stock, tmp_path / "oci.tar").startswith("mine/")


def device(tree: Path) -> None:
    (tree / "srv").mkdir()
    os.mknod(tree / "srv" / "disk", 0o060666, os.makedev(7, 0))


BAD = {
    "a device": (device, "holds a device, /srv/disk"),
    "no shell": (lambda tree: (tree / "bin" / "sh").unlink(), "no /bin/sh"),
    "a file for a folder": (lambda tree: (tree / "proc").write_text("x"), "something else where /proc must be a folder"),
    "a way out": (lambda tree: (tree / "etc").symlink_to("/etc"), "leads out of the image"),
    "a way out by dots": (lambda tree: (tree / "home").symlink_to("../../../../../../../home"), "leads out of the image"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_can_t_be_an_image_is_refused_and_leaves_nothing(stock, tree, tmp_path, name):
    spoil, sentence = BAD[name]
    spoil(tree)
    with pytest.raises(ImageError, match=sentence):
        take(stock, archive(tree, tmp_path / "mine.tar"))
    assert images.versions(stock) == []
    assert [path.name for path in (stock.images_dir / "mine").iterdir()] == ["progress.json"]


def test_a_file_that_is_no_archive_is_named(stock, tmp_path):
    (tmp_path / "text").write_text("no archive")
    with pytest.raises(ImageError, match="no tar archive"):
        take(stock, tmp_path / "text")
    with tarfile.open(tmp_path / "other.tar", "w") as other:
        other.add(tmp_path / "text", "text")
    with pytest.raises(ImageError, match="neither an OCI archive"):
        take(stock, tmp_path / "other.tar")
    with pytest.raises(ImageError, match="no such file"):
        take(stock, tmp_path / "nowhere.tar")


def test_a_recipe_s_name_is_not_taken(stock, tree, tmp_path):
    assert (IMAGES / "base").exists()
    with pytest.raises(ImageError, match="no recipe"):
        image_import.import_image(stock, "base", str(tmp_path), lambda percent, message: None)


@pytest.mark.parametrize(("source", "name"), [
    ("registry.lab/web:1", "docker://registry.lab/web:1"), ("docker://registry.lab/web:1", "docker://registry.lab/web:1")])
def test_anything_else_is_a_registry_s(source, name):
    assert image_import.transport(source) == name
