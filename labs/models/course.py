"""The loaded copy of the course; the files in git are the source."""

from django.db import models
from django.urls import reverse


class Course(models.Model):
    """``certificate`` is {"hours", "needs"}, or None if the course gives none."""

    slug = models.SlugField(unique=True)
    title = models.CharField(max_length=200)
    summary = models.TextField(blank=True)
    language = models.CharField(max_length=16, default="en")
    licence = models.CharField(max_length=100, blank=True)
    certificate = models.JSONField(null=True, blank=True)
    position = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["position", "slug"]

    def __str__(self) -> str:
        return self.title


class Module(models.Model):
    """``exam`` is what labs.course.exam_md reads, right answers included, or None: it never goes to a page as it is."""

    course = models.ForeignKey(Course, models.CASCADE, related_name="modules")
    slug = models.SlugField()
    title = models.CharField(max_length=200)
    summary = models.TextField(blank=True)
    exam = models.JSONField(null=True, blank=True)
    position = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["position", "slug"]
        constraints = [models.UniqueConstraint(fields=["course", "slug"], name="one_module_per_slug")]

    def __str__(self) -> str:
        return self.title


class Lesson(models.Model):
    module = models.ForeignKey(Module, models.CASCADE, related_name="lessons")
    slug = models.SlugField()
    title = models.CharField(max_length=200)
    summary = models.TextField(blank=True)
    minutes = models.PositiveIntegerField(default=0)
    objectives = models.JSONField(default=list, blank=True)
    claims = models.JSONField(default=list, blank=True)
    html_version = models.CharField(max_length=64, blank=True)
    document = models.JSONField(default=dict)
    lab = models.JSONField(null=True, blank=True)
    lab_digest = models.CharField(max_length=64, blank=True)
    position = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["module__position", "position", "slug"]
        constraints = [models.UniqueConstraint(fields=["module", "slug"], name="one_lesson_per_slug")]

    def __str__(self) -> str:
        return self.title

    @property
    def number(self) -> str:
        """What other lessons call it: "lesson 1.4"."""
        return f"{self.module.position + 1}.{self.position + 1}"

    @property
    def address(self) -> tuple[str, str, str]:
        return self.module.course.slug, self.module.slug, self.slug

    def get_absolute_url(self) -> str:
        return reverse("lesson", args=self.address)
