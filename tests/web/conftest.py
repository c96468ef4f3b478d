"""The cast, one lesson with a lab, what the site asked of workers, and a Redis of the tests' own.

Alice owns the session, Bob is another student, Ines is of the staff, Charlie is signed out.
"""

import subprocess
import time

import pytest
from django.conf import settings as site
from django.contrib.auth.models import AnonymousUser
from django.contrib.contenttypes.management import create_contenttypes
from django.db.models.signals import post_migrate

site.SECRET_KEY = "only-for-tests-" * 4
site.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # a good one is slow on purpose

LAB = {"limits": {"minutes": 60, "extend": 15, "idle": 30},
       "tasks": [{"id": "look", "step": "one", "title": "Look", "points": 5, "needs": []},
                 {"id": "leap", "step": "one", "title": "Leap", "points": 3, "needs": ["look"]}],
       "terminals": [{"title": "outside", "machine": "box"}], "machines": {"box": {}, "other": {}}}
HOSTS = {"h1": {"at": 0, "capacity": 6, "used": 0, "cgroup": 2, "runtime": "crun 1.8", "kernel": "6.1", "images": []}}


@pytest.fixture(scope="session")
def django_db_modify_db_settings(tmp_path_factory, django_db_modify_db_settings):
    """SQLite in a file, as the site has it: one in memory knows neither the site's journal nor its locks. No connection is
    kept: PostgreSQL does not drop a database that some thread has open."""
    database = site.DATABASES["default"]
    database["CONN_MAX_AGE"] = 0
    if database["ENGINE"].endswith("sqlite3"):
        database.setdefault("TEST", {})["NAME"] = str(tmp_path_factory.mktemp("database") / "test.sqlite3")


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup):
    """A test with transactions of its own leaves an empty database, and filling it anew with what migrate makes beside the
    tables took a third of the time. Nothing of the site reads those rows."""
    post_migrate.disconnect(dispatch_uid="django.contrib.auth.management.create_permissions")
    post_migrate.disconnect(create_contenttypes)


@pytest.fixture(autouse=True)
def on_its_own(settings):
    settings.REDIS_URL = "unix:///nonexistent/redis.sock?db=0"  # a site may run on this machine; ``redis_server`` gives one
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}


@pytest.fixture
def alice(django_user_model):
    return django_user_model.objects.create_user("alice")


@pytest.fixture
def bob(django_user_model):
    return django_user_model.objects.create_user("bob")


@pytest.fixture
def ines(django_user_model):
    return django_user_model.objects.create_user("ines", is_staff=True)


@pytest.fixture
def charlie():
    return AnonymousUser()


@pytest.fixture
def as_alice(client, alice):
    client.force_login(alice)
    return client


@pytest.fixture
def as_bob(client, bob):
    client.force_login(bob)
    return client


@pytest.fixture
def lesson(db):
    from labs.models import Course, Lesson, Module
    module = Module.objects.create(course=Course.objects.create(slug="c", title="C"), slug="m", title="M")
    return Lesson.objects.create(module=module, slug="l", title="L", lab=LAB, lab_digest="d" * 64)


@pytest.fixture
def hosts(monkeypatch):
    """The living worker hosts; a test may empty or change them."""
    from labs import agent_client
    living = {name: dict(host) for name, host in HOSTS.items()}
    monkeypatch.setattr(agent_client, "living_hosts", lambda: living)
    return living


@pytest.fixture
def asked(monkeypatch, hosts):
    """(task, queue, arguments) of every message to a worker, in order."""
    from labs import agent_client
    sent = []
    monkeypatch.setattr(agent_client.app, "send_task",
                        lambda task, queue, kwargs, **_: sent.append((task, queue, kwargs)))
    monkeypatch.setattr(agent_client, "is_under_way", lambda session: False)
    return sent


@pytest.fixture
def told(monkeypatch):
    """(session id, notice) of everything that pages were told, in order."""
    from labs import notices
    sent = []
    monkeypatch.setattr(notices, "send", lambda session, notice: sent.append((session.id, notice)))
    return sent


class RedisServer:
    """A Redis that a test may take away and bring back."""

    def __init__(self, folder):
        self.folder, self.socket = folder, folder / "redis.sock"
        self.url = f"unix://{self.socket}?db=0"
        self.process = None

    def start(self):
        self.process = subprocess.Popen(
            ["redis-server", "--port", "0", "--unixsocket", str(self.socket), "--dir", str(self.folder), "--save", ""],
            stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while not self._answers():
            assert time.monotonic() < deadline, "redis-server does not answer"
            time.sleep(0.01)

    def _answers(self):
        import redis
        try:
            return redis.Redis.from_url(self.url).ping()
        except redis.RedisError:
            return False

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.socket.unlink(missing_ok=True)


@pytest.fixture(scope="session")
def shared_redis(tmp_path_factory):
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.kill()


@pytest.fixture
def redis_server(shared_redis, settings):
    settings.REDIS_URL = shared_redis.url
    return shared_redis
