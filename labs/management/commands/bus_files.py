"""``manage.py bus_files FOLDER``: the files with which Redis serves worker hosts over TLS; `./lab up` calls it."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from labs.hosts import site_key


class Command(BaseCommand):
    help = "Write authority, certificate, key and the users of the site's Redis for BULKHEAD_WORKERS_AT."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("folder", type=Path)

    def handle(self, *args: Any, folder: Path, **options: Any) -> None:
        address = settings.WORKERS_AT.rpartition(":")[0].strip("[]")
        password = unquote(urlsplit(settings.REDIS_URL).password or "")
        if not address or not password:
            raise CommandError("BULKHEAD_WORKERS_AT=address:port and a password in BULKHEAD_REDIS_URL are needed")
        key = Ed25519PrivateKey.generate()
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        own = f"user default reset on #{hashlib.sha256(password.encode()).hexdigest()} ~* &* +@all\n"
        users = folder / "users.acl"
        others = [line for line in users.read_text().splitlines(keepends=True) if not line.startswith("user default ")] \
            if users.exists() else []
        for name, text in (("bus-key.pem", pem), ("bus-cert.pem", site_key.server_certificate(address, key.public_key())),
                           ("bus-ca.pem", site_key.authority()), ("users.acl", own + "".join(others))):
            self._write(folder / name, text)

    def _write(self, path: Path, text: str) -> None:
        new = path.with_suffix(".new")
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)
        new.rename(path)
