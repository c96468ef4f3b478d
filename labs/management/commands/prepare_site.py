"""``manage.py prepare_site``: everything a site needs before it serves, in one start of Django instead of three."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import OperationalError, connection

TRIES = 20
LOCK_SECONDS = 3
"""A change of a table waits for all who use it, and everybody else waits behind it: it must not wait long."""
PAUSE_SECONDS = 1.0
ONE_AT_A_TIME = 0x62756C6B
"""The number of the lock that several sites on one PostgreSQL take one after the other; any number does."""


class Command(BaseCommand):
    help = "Migrate the database, collect the static files and load the course. Repeats safely."

    def handle(self, *args: Any, **options: Any) -> None:
        with alone():
            migrate()
            call_command("collectstatic", interactive=False, verbosity=0)
            call_command("load_course", stdout=self.stdout)


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Nobody else prepares the same database meanwhile. SQLite's own lock does for its single site."""
    if connection.vendor != "postgresql":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [ONE_AT_A_TIME])
        try:
            yield
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [ONE_AT_A_TIME])


def migrate() -> None:
    """Each migration is one transaction and is tried again if a running site holds its table for too long."""
    for attempt in range(1, TRIES + 1):
        try:
            with patience(LOCK_SECONDS):
                call_command("migrate", interactive=False, verbosity=0)
            return
        except OperationalError as error:
            if attempt == TRIES or not is_held(error):
                raise
            time.sleep(PAUSE_SECONDS)


@contextlib.contextmanager
def patience(seconds: int) -> Iterator[None]:
    if connection.vendor != "postgresql":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, false)", [f"{seconds}s"])
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('lock_timeout', '0', false)")


def is_held(error: OperationalError) -> bool:
    """PostgreSQL's lock_not_available (55P03, "Appendix A. Error Codes")."""
    return getattr(error.__cause__, "sqlstate", "") == "55P03"
