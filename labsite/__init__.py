"""The Django project: settings, addresses and the two ways in (ASGI and Celery)."""

from labsite.celery import app as celery_app

__all__ = ["celery_app"]
