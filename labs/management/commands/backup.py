"""``manage.py backup``: the whole site to standard output; `./lab backup FILE` calls it."""

import os
import sys
from typing import Any

from django.core.management.base import BaseCommand

from labs import backup


class Command(BaseCommand):
    help = "Write a backup to standard output; a password in BULKHEAD_BACKUP_PASSWORD encrypts it."

    def handle(self, *args: Any, **options: Any) -> None:
        sys.stdout.buffer.write(backup.make(os.environ.get("BULKHEAD_BACKUP_PASSWORD", "")))
        sys.stdout.buffer.flush()
