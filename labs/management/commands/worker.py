"""``manage.py worker``: tokens and wishes for worker hosts; `./lab worker` calls it."""

from __future__ import annotations

from typing import Any

import redis
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from labs.hosts import cards, joining, wishes
from labs.models import WorkerHost

WISHES = {"open": "open", "cordon": "cordoned", "drain": "draining"}


class Command(BaseCommand):
    help = "Make a token for a new worker host, list the hosts, or say what is wanted of one."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("action", choices=["token", "list", *WISHES, "remove"])
        parser.add_argument("name", nargs="?", help="of the host, for all but token and list")
        parser.add_argument("--minutes", type=int, default=joining.TOKEN_MINUTES, help="how long a token is good")

    def handle(self, *args: Any, action: str, name: str | None, minutes: int, **options: Any) -> None:
        if action == "token":
            if not settings.WORKERS_AT:
                raise CommandError("start the site with BULKHEAD_WORKERS_AT=ADDRESS:6380 first: no host could join")
            self.stdout.write(joining.make_token(None, minutes))
        elif action == "list":
            for card in cards.of_all():
                state = card["row"].wish if card["is_living"] else "does not answer"
                self.stdout.write(f"{card['name']:20} {state:16} {card.get('used', 0)}/{card.get('capacity', '?')}")
        else:
            self._change(action, name or "")

    def _change(self, action: str, name: str) -> None:
        try:
            if action == "remove":
                wishes.remove(name)
            else:
                wishes.set_wish(name, WISHES[action])
        except WorkerHost.DoesNotExist:
            known = ", ".join(WorkerHost.objects.values_list("name", flat=True)) or "none"
            raise CommandError(f"there is no host {name!r}; hosts: {known}") from None
        except redis.RedisError as error:
            raise CommandError(f"Redis does not answer: {error}; nothing was changed") from None
        self.stdout.write(f"{name}: {action}")
