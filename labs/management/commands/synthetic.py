"""``manage.py synthetic``: let the synthetic student walk once, now, and say how it went."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from labs.sight import synthetic


class Command(BaseCommand):
    help = "Open a lesson, start its lab, type into the terminal and end it, as a browser would; exits 1 on a failure."

    def handle(self, *args: Any, **options: Any) -> None:
        result = synthetic.walk()
        self.stdout.write(json.dumps(result))
        if not result["ok"]:
            raise CommandError(f"failed in the step {result['failed']}: {result['why']}")
