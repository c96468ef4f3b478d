"""A site in one file: its rows, its published labs, courses of its own, and its key; and the way back.

The rows are written as Django writes them (dumpdata), so a backup of SQLite can be restored into PostgreSQL and the
other way round. Students' disks are not in it: they lie on worker hosts and are temporary by nature.

    manifest.json   {"format", "made_at", "migrations": {app: name of the newest}, "courses": [names]}
    rows.json       every row, in an order that can be loaded
    secret          the site's key: without it every session and one-time link would end
    content/        the published labs, by digest         courses/<n>/   course folders outside the project

With a password the whole file is one token of Fernet (AES-128-CBC and HMAC-SHA256, the specification of pyca
cryptography) under a key that scrypt (RFC 7914) makes of it.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import io
import json
import os
import tarfile
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connection, transaction
from django.db.migrations.loader import MigrationLoader
from django.utils.timezone import now

FORMAT = 1
LEFT_OUT = ("contenttypes", "auth.permission", "admin.logentry", "sessions.session")
"""Made anew by ``migrate``, or of no use elsewhere."""
SEALED = b"BULKHEAD-SEALED-1\n"
SALT_BYTES = 16
SCRYPT = {"length": 32, "n": 1 << 15, "r": 8, "p": 1}


class BackupError(Exception):
    """Says what is wrong with a backup or with the place it should go to."""


def make(password: str = "") -> bytes:
    """The whole backup."""
    body = io.BytesIO()
    with tarfile.open(fileobj=body, mode="w:gz") as archive:
        outside = [folder for folder in settings.CONTENT_DIRS if not folder.is_relative_to(settings.BASE_DIR)]
        manifest = {"format": FORMAT, "made_at": now().isoformat(), "migrations": newest_migrations(),
                    "courses": [str(folder) for folder in outside]}
        _add(archive, "manifest.json", json.dumps(manifest, indent=1).encode())
        _add(archive, "rows.json", _rows())
        _add(archive, "secret", settings.SECRET_KEY.encode())
        for name, folder in [("content", settings.PUBLISHED_DIR), *((f"courses/{n}", f) for n, f in enumerate(outside))]:
            if folder.is_dir():
                archive.add(folder, name)
    return seal(body.getvalue(), password) if password else body.getvalue()


def restore(backup: bytes, password: str = "", replace: bool = False) -> dict[str, Any]:
    """Fill an empty site; {"secret", "users", "courses"}. Raises BackupError, and then has changed nothing."""
    files = _open(backup, password)
    manifest = json.loads(files["manifest.json"])
    if manifest.get("format") != FORMAT:
        raise BackupError(f"the backup has format {manifest.get('format')!r}, this version reads {FORMAT}")
    if unknown := _unknown_migrations(manifest["migrations"]):
        raise BackupError(f"the backup is of a newer version ({', '.join(unknown)}): update this site first")
    if get_user_model().objects.exists() and not replace:
        raise BackupError("this site has users already; --replace throws away everything in it first")
    rows = settings.STATE_DIR / "web" / f"restore-{os.getpid()}.json"
    rows.write_bytes(files["rows.json"])
    try:
        with transaction.atomic():
            _empty()
            call_command("loaddata", str(rows), verbosity=0)
    finally:
        rows.unlink()
    _write_below(files, "content/", settings.PUBLISHED_DIR)
    return {"secret": files["secret"].decode(), "users": get_user_model().objects.count(),
            "courses": manifest["courses"]}


def _rows() -> bytes:
    text = io.StringIO()
    with _of_one_moment():
        call_command("dumpdata", exclude=list(LEFT_OUT), natural_foreign=True, stdout=text, verbosity=0)
    return text.getvalue().encode()


@contextlib.contextmanager
def _of_one_moment() -> Iterator[None]:
    """See the database as it is now, whatever is written meanwhile, and let nobody wait. Else a row may refer to another that
    came too late for the backup, and none of it could be restored."""
    connection.ensure_connection()
    mode = getattr(connection, "transaction_mode", None)
    connection.transaction_mode = "DEFERRED"  # of SQLite: only to read
    try:
        with transaction.atomic():
            if connection.vendor == "postgresql":
                with connection.cursor() as cursor:
                    cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield
    finally:
        connection.transaction_mode = mode


def _empty() -> None:
    """Every row of every table that a backup holds."""
    from django.apps import apps
    left_out = {name for name in LEFT_OUT if "." in name}
    models = [model for model in apps.get_models() if model._meta.app_label not in LEFT_OUT
              and model._meta.label_lower not in left_out and model._meta.managed]
    with connection.constraint_checks_disabled(), connection.cursor() as cursor:
        tables = [model._meta.db_table for model in models]
        for statement in connection.ops.sql_flush(_no_style(), tables, allow_cascade=True):
            cursor.execute(statement)


def _no_style() -> Any:
    from django.core.management.color import no_style
    return no_style()


def newest_migrations() -> dict[str, str]:
    """The newest migration of each app, of those that this code has."""
    found: dict[str, str] = {}
    for app, name in sorted(MigrationLoader(connection).disk_migrations):
        found[app] = name
    return found


def _unknown_migrations(wanted: dict[str, str]) -> list[str]:
    known = set(MigrationLoader(connection).disk_migrations)
    return [f"{app}.{name}" for app, name in wanted.items() if (app, name) not in known]


# --- the file ---------------------------------------------------------------------------------------------


def seal(body: bytes, password: str) -> bytes:
    salt = os.urandom(SALT_BYTES)
    return SEALED + salt + Fernet(_key(password, salt)).encrypt(body)


def _unseal(backup: bytes, password: str) -> bytes:
    if not password:
        raise BackupError("the backup is encrypted: name its password with --password-file")
    salt, token = backup[len(SEALED):][:SALT_BYTES], backup[len(SEALED) + SALT_BYTES:]
    try:
        return Fernet(_key(password, salt)).decrypt(token)
    except InvalidToken:
        raise BackupError("the password is another one, or the file is damaged") from None


def _key(password: str, salt: bytes) -> bytes:
    return base64.urlsafe_b64encode(Scrypt(salt=salt, **SCRYPT).derive(password.encode()))


def _open(backup: bytes, password: str) -> dict[str, bytes]:
    """Every file of a backup by its name; it is read whole before anything is changed."""
    body = _unseal(backup, password) if backup.startswith(SEALED) else backup
    try:
        whole = gzip.decompress(body)  # tarfile would stop before the checksum
        with tarfile.open(fileobj=io.BytesIO(whole), mode="r:") as archive:
            files = {member.name: archive.extractfile(member).read() for member in archive if member.isfile()}
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise BackupError(f"this is no whole backup of Bulkhead: {error}") from None
    if absent := {"manifest.json", "rows.json", "secret"} - set(files):
        raise BackupError(f"this is no whole backup of Bulkhead: {', '.join(sorted(absent))} is missing")
    # An empty part is as bad as "..": what stands behind content//etc is /etc, and no longer below anything.
    if outside := [name for name in files if {"", ".", ".."} & set(name.split("/"))]:
        raise BackupError(f"the backup names a file outside of it: {outside[0]}")
    return files


def _write_below(files: dict[str, bytes], prefix: str, target: Path) -> None:
    for name, body in files.items():
        if name.startswith(prefix):
            path = target / name.removeprefix(prefix)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)


def _add(archive: tarfile.TarFile, name: str, body: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mtime, entry.mode = len(body), int(time.time()), 0o600
    archive.addfile(entry, io.BytesIO(body))
