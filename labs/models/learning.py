"""What a student did in a lesson: tasks, answers, hints, measurements, reading."""

from django.conf import settings
from django.db import models

from labs.models.course import Lesson
from labs.models.session import LabSession


class _Owned(models.Model):
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    lesson = models.ForeignKey(Lesson, models.CASCADE, related_name="+")
    at = models.DateTimeField(auto_now=True)

    class Meta:
        abstract = True


class TaskResult(_Owned):
    """``state`` is of the present run; ``points`` and ``passed_at`` stay once earned."""

    task = models.CharField(max_length=80)
    session = models.ForeignKey(LabSession, models.SET_NULL, null=True, blank=True, related_name="results")
    state = models.CharField(max_length=10, default="open")
    why = models.TextField(blank=True)
    saw = models.TextField(blank=True)
    points = models.PositiveIntegerField(default=0)
    passed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "lesson", "task"], name="one_result_per_task")]


class HintTaken(_Owned):
    hint = models.CharField(max_length=80)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "lesson", "hint"], name="one_mark_per_hint")]


class Answer(_Owned):
    block = models.CharField(max_length=80)
    kind = models.CharField(max_length=10)
    given = models.JSONField()
    correct = models.BooleanField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "lesson", "block"], name="one_answer_per_block")]


class Measurement(_Owned):
    block = models.CharField(max_length=80)
    value = models.FloatField()
    unit = models.CharField(max_length=20, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "lesson", "block"], name="one_measurement_per_block")]


class ReadingMark(_Owned):
    """A section that was read to its end; ``at`` is when."""

    step = models.CharField(max_length=80)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "lesson", "step"], name="one_mark_per_section")]
