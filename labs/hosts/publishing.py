"""The catalogue: what the site publishes to worker hosts, signed, and kept on the bus.

``publish`` decides what it is (the lessons' labs, those that sessions still use, the image recipes) and writes it into
the database; ``push`` makes the bus say the same, as often as is needed: a Redis that forgot everything is told again.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import redis
from django.conf import settings
from django.db import transaction
from django.db.models import Q

from labs.hosts import site_key
from labs.models import Bundle, Catalog, LabSession, Lesson
from runtime_agent import fleet

RECIPES = settings.BASE_DIR / "labs" / "images"


@transaction.atomic
def publish() -> int:
    """Bring bundles and catalogue to the lessons as loaded; the catalogue's serial."""
    row, _ = Catalog.objects.select_for_update().get_or_create(pk=1)
    labs = sorted({*_of_lessons(), *_of_sessions()} & {*_keep_labs()})
    recipes = _keep(recipe_files(), "recipes", frozenset())
    Bundle.objects.exclude(digest__in=[*labs, recipes]).delete()
    content = {"version": fleet.VERSION, "labs": labs, "recipes": recipes}
    known = json.loads(row.message or "{}")
    if {name: known.get(name) for name in content} != content:
        row.serial = max(row.serial + 1, time.time_ns() // 1_000_000)
        row.message = json.dumps({**content, "serial": row.serial, "at": time.time()})
        row.save()
    return row.serial


def push(bus: redis.Redis) -> bool:
    """Let the bus carry the catalogue and its bundles; False if it did already."""
    row = Catalog.objects.filter(pk=1).first()
    if row is None or not row.message:
        return False
    sealed = json.dumps(site_key.sign("catalog", row.message)).encode()
    if bus.get(fleet.CATALOG_KEY) == sealed and bus.exists(fleet.QUEUES_KEY):
        return False
    bundles = list(Bundle.objects.all())
    with bus.pipeline() as pipe:
        for bundle in bundles:
            pipe.set(fleet.bundle_key(bundle.digest), bytes(bundle.body))
        pipe.sadd(fleet.QUEUES_KEY, *{fleet.queue_of(bundle.needs) for bundle in bundles}, fleet.queue_of([]))
        pipe.set(fleet.CATALOG_KEY, sealed)  # last: what it names is there
        pipe.execute()
    _forget_others(bus, {bundle.digest for bundle in bundles})
    return True


def _forget_others(bus: redis.Redis, digests: set[str]) -> None:
    gone = [name for name in bus.scan_iter(match=fleet.bundle_key("*"), count=500)
            if name.decode().rpartition(":")[2] not in digests]
    if gone:
        bus.delete(*gone)


def _of_lessons() -> set[str]:
    return set(Lesson.objects.exclude(lab_digest="").values_list("lab_digest", flat=True))


def _of_sessions() -> set[str]:
    """Running ones, and ended ones whose files are kept: a resume begins the lab that it was."""
    used = LabSession.objects.filter(Q(state__in=(*LabSession.ACTIVE, LabSession.State.ENDING)) | Q(kept_until__isnull=False))
    return set(used.values_list("lab_digest", flat=True))


def _keep_labs() -> list[str]:
    """Every lab that is in the published folder or was bundled before; what is wanted and in neither is gone for good."""
    wanted, kept = _of_lessons() | _of_sessions(), []
    known = set(Bundle.objects.filter(kind="lab").values_list("digest", flat=True))
    for digest in wanted:
        if digest not in known and (settings.PUBLISHED_DIR / digest / "lab.json").is_file():
            files = files_below(settings.PUBLISHED_DIR / digest)
            known.add(_keep(files, "lab", fleet.needs_of(json.loads(files["lab.json"]))))
        if digest in known:
            kept.append(digest)
    return kept


def _keep(files: dict[str, bytes], kind: str, needs: frozenset[str]) -> str:
    digest = fleet.digest_of(files)
    if not Bundle.objects.filter(pk=digest).exists():
        Bundle.objects.create(digest=digest, kind=kind, body=fleet.pack(files), needs=sorted(needs))
    return digest


def recipe_files() -> dict[str, bytes]:
    return files_below(RECIPES)


def files_below(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*"))
            if path.is_file() and not path.is_symlink() and "__pycache__" not in path.parts}
