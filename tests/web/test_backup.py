"""A backup holds the whole site, and an empty one becomes it; what is no backup changes nothing."""

import io
import tarfile
import threading

import pytest
from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.auth.management import create_permissions
from django.contrib.auth.models import Permission
from django.db import connection, connections

from labs import backup, sessions
from labs.models import LabSession, Lesson, TaskResult
from tests.web.test_sessions import tell

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def folders(settings, tmp_path):
    settings.STATE_DIR, settings.PUBLISHED_DIR = tmp_path, tmp_path / "content"
    settings.CONTENT_DIRS = [tmp_path / "courses"]
    for folder in ("web", "content/digest/checks", "courses/mine"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "content/digest/checks/seen.sh").write_text("echo seen\n")
    (tmp_path / "courses/mine/course.yaml").write_text("title: Mine\n")
    return tmp_path


@pytest.fixture
def used(alice, lesson, asked, told):
    """A site with something in it: a session that passed a task."""
    alice.set_password("correct horse battery")
    alice.save()
    session = sessions.start(alice, lesson)
    tell(session, "ready", 1, facts={})
    tell(session, "task_passed", 2, task="look", saw="it")
    return session


def empty() -> None:
    TaskResult.objects.all().delete()
    LabSession.objects.all().delete()
    Lesson.objects.all().delete()
    get_user_model().objects.all().delete()


@pytest.mark.parametrize("password", ["", "correct horse battery"])
def test_an_empty_site_becomes_the_one_that_was_backed_up(used, alice, folders, password):
    saved = backup.make(password)
    empty()
    (folders / "content/digest/checks/seen.sh").unlink()
    found = backup.restore(saved, password)
    assert found["users"] == 1
    assert get_user_model().objects.get().check_password("correct horse battery")
    assert TaskResult.objects.get().saw == "it"
    assert LabSession.objects.get().id == used.id
    assert (folders / "content/digest/checks/seen.sh").read_text() == "echo seen\n"
    assert found["secret"]


def test_a_backup_of_a_site_in_use_is_of_one_moment(used, lesson, bob):
    """Bob begins when the sessions are in the backup already and the events are not."""
    begun = []

    def begin():
        try:
            tell(sessions.start(bob, lesson), "ready", 1, facts={})
        finally:
            connections.close_all()

    def watch(execute, sql, *rest):
        if not begun and 'FROM "labs_event"' in sql:
            begun.append(threading.Thread(target=begin))
            begun[0].start()
            begun[0].join()
        return execute(sql, *rest)

    with connection.execute_wrapper(watch):
        saved = backup.make()
    assert begun and LabSession.objects.count() == 2, "he did not wait for the backup"
    empty()
    backup.restore(saved)
    assert LabSession.objects.get().id == used.id


def test_an_encrypted_backup_shows_nothing(used):
    assert b"alice" not in backup.make("correct horse battery")


def test_a_wrong_password_or_none_is_said(used):
    saved = backup.make("correct horse battery")
    empty()
    for password, words in (("another password", "another one"), ("", "encrypted")):
        with pytest.raises(backup.BackupError, match=words):
            backup.restore(saved, password)
    assert not get_user_model().objects.exists()


def test_a_site_in_use_is_not_overwritten_unless_told(used, bob):
    create_permissions(apps.get_app_config("labs"), verbosity=0)
    saved = backup.make()
    with pytest.raises(backup.BackupError, match="--replace"):
        backup.restore(saved)
    get_user_model().objects.create_user("later")
    backup.restore(saved, replace=True)
    assert set(get_user_model().objects.values_list("username", flat=True)) == {"alice", "bob"}
    assert Permission.objects.exists(), "migrate makes them, no backup holds them"


@pytest.mark.parametrize("spoil", [lambda body: b"", lambda body: b"nonsense", lambda body: body[:len(body) // 2],
                                   lambda body: body[:-200] + bytes(200)])
def test_what_is_no_whole_backup_changes_nothing(used, spoil):
    saved = spoil(backup.make())
    with pytest.raises(backup.BackupError, match="no whole backup"):
        backup.restore(saved, replace=True)
    assert TaskResult.objects.get().saw == "it"


def test_a_backup_of_a_newer_version_is_refused(used, monkeypatch):
    monkeypatch.setattr(backup, "newest_migrations", lambda: {"labs": "9999_later"})
    saved = backup.make()
    monkeypatch.undo()
    with pytest.raises(backup.BackupError, match="update this site first"):
        backup.restore(saved, replace=True)


@pytest.mark.parametrize("name", ["content/../../../../../../..{0}/outside", "content/{0}/outside", "{0}/outside", "content/./x", "content//x"])
def test_no_file_of_a_backup_lands_outside(used, folders, name, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    saved = io.BytesIO(backup.make())
    changed = io.BytesIO()
    with tarfile.open(fileobj=saved) as old, tarfile.open(fileobj=changed, mode="w:gz") as new:
        for member in old.getmembers():
            new.addfile(member, old.extractfile(member) if member.isfile() else None)
        member = tarfile.TarInfo(name.format(elsewhere))
        member.size = 3
        new.addfile(member, io.BytesIO(b"out"))
    with pytest.raises(backup.BackupError, match="outside"):
        backup.restore(changed.getvalue(), replace=True)
    assert list(elsewhere.iterdir()) == []
