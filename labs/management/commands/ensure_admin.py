"""``manage.py ensure_admin``: see to it that there is somebody who may administer the site."""

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Make the user NAME an administrator without a password, unless an active administrator exists."

    def add_arguments(self, parser):
        parser.add_argument("username", nargs="?", default="admin", metavar="NAME")

    def handle(self, *args, username, **options):
        users = get_user_model().objects
        if found := users.filter(is_superuser=True, is_active=True).first():
            self.stdout.write(f"{found.get_username()} is an administrator")
            return
        user, _ = users.get_or_create(username=username)
        user.is_staff = user.is_superuser = user.is_active = True
        if not user.password:
            user.set_unusable_password()
        user.save()
        self.stdout.write(f"{username} is an administrator now; signin_link prints their way in")
