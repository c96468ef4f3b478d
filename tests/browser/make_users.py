"""Run by ``manage.py shell``: the cast of the browser tests, and one student in each state of a session.

Times lie in the future, so that no timer takes such a session anywhere while the tests look at it.
"""

from datetime import timedelta

from django.contrib.auth import get_user_model
from django.utils import timezone

from labs.models import LabSession, Lesson

later = timezone.now() + timedelta(hours=5)
users = get_user_model().objects
lesson = Lesson.objects.get(slug="a-container-is-a-process")
password = "correct horse battery"
for name in ("alice", "bob", "carol", "dave", "erin"):
    users.create_user(name, f"{name}@example.test", password)
users.create_superuser("ines", "ines@example.test", password)
for name, fields in {
        "queued": {"state": "queued"},
        "starting": {"state": "starting", "stage": "root", "started_at": later, "host": "elsewhere"},
        "failed": {"state": "failed", "reason": "start-failed"},
        "hopeless": {"state": "failed", "reason": "unknown-image"},
        "ended": {"state": "ended", "host": "elsewhere", "kept_until": later},
        "gone": {"state": "ended"},
        "ending": {"state": "ending", "host": "elsewhere"}}.items():
    user = users.create_user(name, "", password)
    LabSession.objects.create(user=user, lesson=lesson, lab=lesson.lab, lab_digest=lesson.lab_digest, queued_at=later,
                              asked_at=later, **fields)
