"""``manage.py publish``: publish the labs of lesson or course folders to where the workers read them."""

from pathlib import Path

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from labs.course import bundle
from labs.course.__main__ import lessons_at


class Command(BaseCommand):
    help = "Publish the labs at or below each PATH (default: BULKHEAD_CONTENT_DIRS). No lesson in the database changes."

    def add_arguments(self, parser):
        parser.add_argument("paths", nargs="*", type=Path, metavar="PATH")
        parser.add_argument("--print", action="store_true", dest="is_printing", help='print a line "digest path" for each lab')

    def handle(self, *args, paths, is_printing, **options):
        findings = []
        for path in paths or settings.CONTENT_DIRS:
            lessons, found = lessons_at(path)
            findings += found
            for lesson in lessons:
                if lesson.lab:
                    digest = bundle.publish(lesson, settings.PUBLISHED_DIR)
                    if is_printing:
                        self.stdout.write(f"{digest} {lesson.path}")
        if findings:
            raise CommandError("\n".join(str(finding) for finding in findings))
