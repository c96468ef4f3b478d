"""A student's sandbox as the site knows it, and the facts that the agent reported about it."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q

from labs.models.course import Lesson


class LabSession(models.Model):
    """One run of one lesson's lab by one student; its id names the sandbox on every level.

    ``points`` maps a step's id to {"bytes": size of the copy of the files it began with} or {"skipped": why there is none}.
    ``rewind_to`` is the step that the present run goes back to, if it does.
    """

    class State(models.TextChoices):
        QUEUED = "queued"
        STARTING = "starting"
        READY = "ready"
        ENDING = "ending"
        ENDED = "ended"
        FAILED = "failed"

    ACTIVE = (State.QUEUED, State.STARTING, State.READY)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="lab_sessions")
    lesson = models.ForeignKey(Lesson, models.PROTECT, related_name="sessions")
    lab = models.JSONField()
    lab_digest = models.CharField(max_length=64)
    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    stage = models.CharField(max_length=20, blank=True)
    generation = models.PositiveIntegerField(default=0)
    is_resume = models.BooleanField(default=False)
    last_seq = models.BigIntegerField(default=-1)
    host = models.CharField(max_length=255, blank=True)
    reason = models.CharField(max_length=40, blank=True)
    detail = models.TextField(blank=True)
    facts = models.JSONField(default=dict, blank=True)
    queued_at = models.DateTimeField()
    asked_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    ready_at = models.DateTimeField(null=True, blank=True)
    seen_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    deadline_at = models.DateTimeField(null=True, blank=True)
    warned_minutes = models.PositiveIntegerField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    kept_until = models.DateTimeField(null=True, blank=True)
    kept_bytes = models.BigIntegerField(null=True, blank=True)
    points = models.JSONField(default=dict, blank=True)
    rewind_to = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["-queued_at"]
        constraints = [models.UniqueConstraint(
            fields=["user", "lesson"], condition=Q(state__in=["queued", "starting", "ready"]),
            name="one_active_session_per_lesson")]
        indexes = [models.Index(fields=["state", "queued_at"])]

    def __str__(self) -> str:
        return str(self.id)

    @property
    def is_active(self) -> bool:
        return self.state in self.ACTIVE


class Terminal(models.Model):
    session = models.ForeignKey(LabSession, models.CASCADE, related_name="terminals")
    number = models.PositiveSmallIntegerField()
    machine = models.CharField(max_length=40)
    title = models.CharField(max_length=80, blank=True)
    state = models.CharField(max_length=10, default="opening")

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["session", "number"], name="one_terminal_per_number")]


class Event(models.Model):
    """What the agent said, once each; kept for the operator and for idempotence."""

    event_id = models.UUIDField(unique=True)
    session = models.ForeignKey(LabSession, models.CASCADE, related_name="events")
    generation = models.PositiveIntegerField()
    seq = models.BigIntegerField()
    kind = models.CharField(max_length=20)
    at = models.DateTimeField()
    payload = models.JSONField(default=dict)

    class Meta:
        ordering = ["generation", "seq"]
