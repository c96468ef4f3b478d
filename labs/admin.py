"""Django's own admin, for staff."""

from django.contrib import admin

from labs import models

admin.site.register([models.Course, models.Module, models.Lesson, models.TaskResult, models.Event])


@admin.register(models.LabSession)
class LabSessionAdmin(admin.ModelAdmin):
    list_display = ["id", "user", "lesson", "state", "host", "reason", "queued_at"]
    list_filter = ["state", "host", "reason"]
