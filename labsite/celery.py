"""The site's Celery app: it consumes queue ``web`` and runs the timers; the agent's app is another one."""

from __future__ import annotations

import logging
import os

from celery import Celery, signals

from labsite import logs
from runtime_agent import intake

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "labsite.settings")

app = Celery("labsite")
app.config_from_object("django.conf:settings", namespace="CELERY")
logging.captureWarnings(True)
signals.setup_logging.connect(lambda **_: None, weak=False)  # Django's stays, on all lines
signals.task_prerun.connect(logs.bind_task, weak=False)
signals.task_postrun.connect(logs.unbind_task, weak=False)
app.autodiscover_tasks(["labs"])


@signals.worker_init.connect
def keep_a_loop(**_: object) -> None:
    from labs import notices  # its models need Django, which is set up by now
    notices.keep_a_loop()


@app.on_after_configure.connect
def take_only_what_can_be_worked(sender: Celery, **_: object) -> None:
    intake.guard(sender, _count)


def _count(reason: str) -> None:
    from labs.sight import counters  # it reads Django's settings, which may import this module
    counters.add(counters.MESSAGES_REFUSED, reason)
