"""`./lab backup` and `./lab restore` as an operator types them: a used site becomes the content of an empty installation."""

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest

from deploy.lab import backups, ground, services, units
from deploy.lab.places import PROJECT, Places, SetupError

USE = """from django.contrib.auth import get_user_model as users
from labs.models import Answer, Lesson
alice = users().objects.create_user("alice", password="correct horse battery")
Answer.objects.create(user=alice, lesson=Lesson.objects.first(), block="b", kind="predict", given="forty-two", correct=True)"""
LOOK = """from django.contrib.auth import get_user_model as users
from labs.models import Answer
alice = users().objects.get(username="alice")
print(alice.check_password("correct horse battery"), Answer.objects.get(user=alice).given)"""


@pytest.fixture
def installation(monkeypatch):
    """Call it for an empty installation; each has a database of its own, of the kind that the run is about."""
    server, made = os.environ.get("BULKHEAD_DATABASE_URL", ""), []
    top = Path(tempfile.mkdtemp(prefix="bulkhead-restore-"))  # pytest's own folders are for their owner only
    top.chmod(0o755)
    shutil.copytree(PROJECT / "tests/browser/content", top / "courses")
    monkeypatch.setenv("BULKHEAD_CONTENT_DIRS", str(top / "courses"))

    def make() -> Places:
        root = top / secrets.token_hex(4)
        places = Places(PROJECT, root / "state", root / "run")
        ground.make_folders(places)
        ground.make_secrets(places)
        (places.state / "venv").symlink_to(sys.prefix)
        if server.startswith("postgres"):
            monkeypatch.setenv("BULKHEAD_DATABASE_URL", database(server, made))
        return places
    yield make
    for name in made:
        ask(server, f'DROP DATABASE "{name}" WITH (FORCE)')
    shutil.rmtree(top)


def database(server: str, made: list[str]) -> str:
    name = f"restore_{secrets.token_hex(4)}"
    ask(server, f'CREATE DATABASE "{name}"')
    made.append(name)
    return urlunsplit(urlsplit(server)._replace(path=f"/{name}"))


def ask(server: str, statement: str) -> None:
    import psycopg
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(statement)


def manage(places: Places, *arguments: str) -> str:
    done = backups._manage(places, list(arguments), None, stdout=subprocess.PIPE)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def test_an_empty_installation_becomes_the_one_that_was_backed_up(installation, tmp_path, capsys):
    password = tmp_path / "password"
    password.write_text("battery horse correct\n")
    saved = tmp_path / "site.backup"
    used = installation()
    manage(used, "prepare_site")
    manage(used, "shell", "-c", USE)
    assert backups.backup(used, saved, password) == 0
    assert saved.stat().st_mode & 0o777 == 0o600
    assert b"forty-two" not in saved.read_bytes()
    with pytest.raises(SetupError, match="--replace"):
        backups.restore(used, saved, password, replace=False)

    empty = installation()
    with pytest.raises(SetupError, match="encrypted"):
        backups.restore(empty, saved, None, replace=False)
    assert backups.restore(empty, saved, password, replace=False) == 0
    assert manage(empty, "shell", "-c", LOOK).split()[-2:] == ["True", "forty-two"]
    assert ground.read_secrets(empty) == ground.read_secrets(used)
    published = {path.name for path in (empty.state / "content").iterdir()}
    assert published == {path.name for path in (used.state / "content").iterdir()}
    assert "1 users" in capsys.readouterr().out


def test_a_backup_is_of_the_database_that_the_site_was_started_with(installation, tmp_path, monkeypatch):
    """`./lab backup` is typed without the variables of `./lab up`, in a cron job above all."""
    used, saved = installation(), tmp_path / "site.backup"
    with monkeypatch.context() as started:
        if "BULKHEAD_DATABASE_URL" not in os.environ:
            started.setenv("BULKHEAD_DATABASE_URL", f"sqlite:///{used.state}/web/elsewhere.sqlite3")
        services.note_settings(used, backups.ADDRESS)
        manage(used, "prepare_site")
        manage(used, "shell", "-c", USE)
    monkeypatch.setenv("BULKHEAD_DATABASE_URL", "")
    monkeypatch.delenv("BULKHEAD_DATABASE_URL")
    assert backups.backup(used, saved, None) == 0
    with pytest.raises(SetupError, match="--replace"):
        backups.restore(used, saved, None, replace=False)
    os.environ.pop("BULKHEAD_DATABASE_URL")

    empty = installation()
    assert backups.restore(empty, saved, None, replace=False) == 0
    assert manage(empty, "shell", "-c", LOOK).split()[-2:] == ["True", "forty-two"]


def test_a_site_that_runs_from_systemd_is_not_filled(installation, tmp_path, monkeypatch):
    (tmp_path / "site.backup").touch()
    monkeypatch.setattr(units, "UNITS", tmp_path)
    for name in (units.TARGET, *units.EVERY):
        (tmp_path / name).touch()
    monkeypatch.setattr(units, "states", lambda names: ["active"] * len(names))
    with pytest.raises(SetupError, match="systemctl stop bulkhead.target"):
        backups.restore(installation(), tmp_path / "site.backup", None, replace=False)


def test_a_broken_database_leaves_no_half_backup(installation, tmp_path, monkeypatch):
    places = installation()
    monkeypatch.setenv("BULKHEAD_DATABASE_URL", "postgres://nobody@%2Fnonexistent/none")
    with pytest.raises(SetupError, match="the backup failed"):
        backups.backup(places, tmp_path / "site.backup", None)
    assert list(Path(tmp_path).glob("*backup*")) == list(Path(tmp_path).glob(".*backup*")) == []
    assert services.site_environment(places, backups.ADDRESS)["BULKHEAD_DATABASE_URL"].startswith("postgres://nobody")
