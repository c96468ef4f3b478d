"""Final exams as they were taken, and certificates as they were given."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse

from labs.models.course import Course, Module


class ExamAttempt(models.Model):
    """``questions`` is what was drawn, right answers included: another pool changes no attempt, and no page gets
    them before ``handed_in_at``. ``answers`` maps a question's id to a text, a list of option ids, or places by option id.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    module = models.ForeignKey(Module, models.CASCADE, related_name="attempts")
    seed = models.BigIntegerField()
    questions = models.JSONField()
    answers = models.JSONField(default=dict, blank=True)
    pass_percent = models.PositiveIntegerField()
    begun_at = models.DateTimeField()
    handed_in_at = models.DateTimeField(null=True, blank=True)
    right = models.PositiveIntegerField(default=0)
    is_passed = models.BooleanField(default=False)

    class Meta:
        ordering = ["-begun_at"]
        constraints = [models.UniqueConstraint(fields=["user", "module"], condition=Q(handed_in_at__isnull=True),
                                               name="one_open_attempt_per_exam")]

    def __str__(self) -> str:
        return str(self.id)

    def get_absolute_url(self) -> str:
        return reverse("exam-attempt", args=(self.id,))

    @property
    def percent(self) -> int:
        return self.right * 100 // len(self.questions)


class Certificate(models.Model):
    """What somebody has finished. ``id`` can't be guessed and is the whole right to ask about it.

    ``title`` and ``hours`` are those of the day it was given; ``name`` is the holder's to change.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    course = models.ForeignKey(Course, models.SET_NULL, null=True, related_name="+")
    name = models.CharField(max_length=80)
    title = models.CharField(max_length=200)
    hours = models.PositiveIntegerField()
    issued_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-issued_at"]
        constraints = [models.UniqueConstraint(fields=["user", "course"], name="one_certificate_per_course")]

    def __str__(self) -> str:
        return str(self.id)

    def get_absolute_url(self) -> str:
        return reverse("certificate-verification", args=(self.id,))
