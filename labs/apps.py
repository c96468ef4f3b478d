"""The site's one app."""

from django.apps import AppConfig


class LabsConfig(AppConfig):
    name = "labs"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from labsite import checks  # noqa: F401  (registers the system checks)
