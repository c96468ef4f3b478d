"""``manage.py signin_link``: print the path of a link that signs an administrator in once."""

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError

from labs import one_time


class Command(BaseCommand):
    help = "Print a one-time sign-in link of an administrator, good for a day."

    def add_arguments(self, parser):
        parser.add_argument("username", nargs="?", default="admin")
        parser.add_argument("--create-admin", action="store_true", help="make the user if there is none of that name")

    def handle(self, *args, username, create_admin, **options):
        users = get_user_model().objects
        user = users.filter(username=username).first()
        if user is None and create_admin:
            user = users.create_superuser(username)
        if user is None:
            raise CommandError(f"there is no user {username!r}; --create-admin makes one")
        self.stdout.write(one_time.link(user))
