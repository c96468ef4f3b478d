"""``manage.py restore``: a backup from standard input into this site; `./lab restore FILE` calls it."""

import json
import os
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from labs import backup


class Command(BaseCommand):
    help = "Read a backup from standard input and fill this site with it; prints what it restored as JSON."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--replace", action="store_true", help="throw away what is in this site first")

    def handle(self, *args: Any, replace: bool, **options: Any) -> None:
        try:
            found = backup.restore(sys.stdin.buffer.read(), os.environ.get("BULKHEAD_BACKUP_PASSWORD", ""), replace)
        except backup.BackupError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(json.dumps(found))
