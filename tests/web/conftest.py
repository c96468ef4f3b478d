"""The cast, one lesson with a lab, and what the site asked of workers."""

import pytest
from django.conf import settings as site

site.SECRET_KEY = "only-for-tests-" * 4

LAB = {"limits": {"minutes": 60, "extend": 15, "idle": 30},
       "tasks": [{"id": "look", "title": "Look", "points": 5}], "terminals": [], "machines": {}}


@pytest.fixture(autouse=True)
def on_its_own(settings):
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}


@pytest.fixture
def alice(django_user_model):
    return django_user_model.objects.create_user("alice")


@pytest.fixture
def bob(django_user_model):
    return django_user_model.objects.create_user("bob")


@pytest.fixture
def lesson(db):
    from labs.models import Course, Lesson, Module
    module = Module.objects.create(course=Course.objects.create(slug="c", title="C"), slug="m", title="M")
    return Lesson.objects.create(module=module, slug="l", title="L", lab=LAB, lab_digest="d" * 64)


@pytest.fixture
def asked(monkeypatch):
    """(task, queue, arguments) of every message to a worker, in order."""
    from labs import agent_client
    sent = []
    monkeypatch.setattr(agent_client.app, "send_task",
                        lambda task, queue, kwargs: sent.append((task, queue, kwargs)))
    monkeypatch.setattr(agent_client, "living_hosts", lambda: {"h1": {"at": 0, "capacity": 6, "used": 0}})
    return sent
