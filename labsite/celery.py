"""The site's Celery app: it consumes queue ``web`` and runs the timers; the agent's app is another one."""

from __future__ import annotations

import logging
import os

from celery import Celery, signals

from labsite import logs

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "labsite.settings")

app = Celery("labsite")
app.config_from_object("django.conf:settings", namespace="CELERY")
logging.captureWarnings(True)
signals.setup_logging.connect(lambda **_: None, weak=False)  # Django's stays, on all lines
signals.task_prerun.connect(logs.bind_task, weak=False)
signals.task_postrun.connect(logs.unbind_task, weak=False)
app.autodiscover_tasks(["labs"])
