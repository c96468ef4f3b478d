"""Preparing a site beside one that runs: nobody waits long for a migration, and two of them never meet."""

import threading

import pytest
from django.core.management import call_command
from django.db import OperationalError, connection, connections, transaction

from labs.management.commands import prepare_site
from labs.models import LabSession

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def pretended(monkeypatch):
    """What ``prepare_site`` calls, in order; none of it happens."""
    called = []
    monkeypatch.setattr(prepare_site, "call_command", lambda name, **_: called.append(name))
    return called


def test_a_site_is_migrated_before_it_gets_its_course(pretended):
    call_command("prepare_site")
    assert pretended == ["migrate", "collectstatic", "load_course"]


def test_an_error_of_the_migration_is_not_tried_again(monkeypatch):
    tries = []

    def broken(*_names, **_options):
        tries.append(1)
        raise OperationalError("no such column")
    monkeypatch.setattr(prepare_site, "call_command", broken)
    with pytest.raises(OperationalError):
        prepare_site.migrate()
    assert len(tries) == 1


def test_a_migration_gives_way_to_a_running_site_and_comes_back(monkeypatch):
    """A change of the table of sessions while a page holds a row of it, on PostgreSQL; SQLite has one lock for all."""
    monkeypatch.setattr(prepare_site, "LOCK_SECONDS", 1)
    tries, held, done = [], threading.Event(), threading.Event()

    def change(*_names, **_options):
        tries.append(1)
        if len(tries) > 1:
            done.set()
            holder.join(60)
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE labs_labsession ADD COLUMN later integer")

    def hold():
        with transaction.atomic():
            list(LabSession.objects.all())
            held.set()
            done.wait(60)
        connections.close_all()
    monkeypatch.setattr(prepare_site, "call_command", change)
    holder = threading.Thread(target=hold)
    if connection.vendor != "postgresql":
        done.set()
    holder.start()
    assert held.wait(60)
    if connection.vendor != "postgresql":
        holder.join(60)
    prepare_site.migrate()
    holder.join(60)
    assert len(tries) == (2 if connection.vendor == "postgresql" else 1)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE labs_labsession DROP COLUMN later")


def test_two_sites_prepare_one_database_one_after_the_other(monkeypatch):
    inside, most = [], []

    def step(name, **_options):
        inside.append(name)
        most.append(len(inside))
        threading.Event().wait(0.05)
        inside.remove(name)
    monkeypatch.setattr(prepare_site, "call_command", step)

    def prepare():
        with prepare_site.alone():
            prepare_site.call_command("migrate")
        connections.close_all()
    threads = [threading.Thread(target=prepare) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(most) == 4
    if connection.vendor == "postgresql":
        assert max(most) == 1
