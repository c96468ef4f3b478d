"""Removing image versions that nobody uses, and holding a version against the digest it was built with.

A version is used while it is current, while a disk began with it (a running sandbox's, a warm one's or one kept for a
resume, a point to go back to: rootfs.IMAGE_ATTRIBUTE), and while a used version lies on it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time

from runtime_agent import images, rootfs, tree
from runtime_agent.recipes import ImageError
from runtime_agent.settings import Settings

GRACE_SECONDS = 60.0
"""A sandbox that is just being made may have chosen the version that was current a moment ago."""


def collect(settings: Settings) -> list[tuple[str, int]]:
    """Remove what is unused; (reference, bytes) of each. The caller holds image_build.lock."""
    used = _used(settings)
    removed = []
    for reference in images.versions(settings):
        home = settings.images_dir / reference
        if reference in used or time.time() - (home.parent / "current").lstat().st_mtime < GRACE_SECONDS:
            continue
        size = images.facts(settings, reference)["bytes"]
        hidden = home.with_name(f".removing-{home.name}")
        home.rename(hidden)
        shutil.rmtree(hidden)
        removed.append((reference, size))
    for leftover in (*settings.images_dir.glob("*/.removing-*"), *settings.images_dir.glob("*/.building-*")):
        shutil.rmtree(leftover)
    return removed


def _used(settings: Settings) -> set[str]:
    used = {images.current(settings, name) for name in images.installed(settings)}
    for disk in (*settings.disks_dir.rglob("*"), *(settings.agent_dir / "points").rglob("*")):
        with contextlib.suppress(OSError):  # no disk, or one that is gone meanwhile
            used.add(os.getxattr(disk, rootfs.IMAGE_ATTRIBUTE).decode())
    present = set(images.versions(settings))
    return used | {below for reference in used & present for below in images.facts(settings, reference).get("below", [])}


def verify(settings: Settings, name: str) -> list[str]:
    """Digest every layer of the current version again; their references. Raises ImageError for one that is altered."""
    top = images.current(settings, name)
    references = [top, *images.facts(settings, top).get("below", [])]
    for reference in references:
        noted = images.facts(settings, reference).get("digest")
        if noted is None:
            raise ImageError(f"{reference} was built before digests were noted: sudo ./lab image build {name} notes it")
        found = tree.digest(settings.images_dir / reference / "rootfs")
        if found != noted:
            raise ImageError(f"{reference} was altered: its tree's digest is {found[:16]}, it was built as {noted[:16]}")
    return references
