"""Worker hosts and what reaches them: who has joined, with which token, and the bundles that the site publishes."""

from django.conf import settings
from django.db import models


class WorkerHost(models.Model):
    """A host that the site has heard of. One that joined has a key and a Redis user; the site's own machine has neither.

    ``wish`` is what the operator wants of it, ``generation`` grows with each change, ``drain_at`` is when its last
    sessions are put away. ``line`` is its last heartbeat.
    """

    class Wish(models.TextChoices):
        OPEN = "open"
        CORDONED = "cordoned"
        DRAINING = "draining"

    name = models.CharField(max_length=63, unique=True)
    key = models.CharField(max_length=64, blank=True)
    password_sha256 = models.CharField(max_length=64, blank=True)
    joined_at = models.DateTimeField(null=True, blank=True)
    seen_at = models.DateTimeField(null=True, blank=True)
    is_silent = models.BooleanField(default=True)
    wish = models.CharField(max_length=10, choices=Wish, default=Wish.OPEN)
    generation = models.PositiveIntegerField(default=0)
    drain_at = models.DateTimeField(null=True, blank=True)
    line = models.JSONField(default=dict, blank=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class JoinToken(models.Model):
    """Good for one host, once. Only the public half of the key that the token stands for is kept."""

    public_key = models.CharField(max_length=64, unique=True)
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    made_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)
    used_by = models.CharField(max_length=63, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-made_at"]


class Bundle(models.Model):
    """One lab, or all image recipes, as it travels (fleet.pack); kept while the catalogue or a session names it."""

    digest = models.CharField(max_length=64, primary_key=True)
    kind = models.CharField(max_length=10, choices=[("lab", "lab"), ("recipes", "recipes")])
    body = models.BinaryField()
    needs = models.JSONField(default=list, blank=True)


class Catalog(models.Model):
    """What is published now; one row. ``serial`` is milliseconds since 1970, so that it grows even past a restore."""

    serial = models.BigIntegerField(default=0)
    message = models.TextField(default="")
