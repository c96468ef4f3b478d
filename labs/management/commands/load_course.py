"""``manage.py load_course``: bring the courses of CONTENT_DIRS into the database and publish their labs."""

from django.core.management.base import BaseCommand

from labs import course_loading


class Command(BaseCommand):
    help = "Load every course of BULKHEAD_CONTENT_DIRS. A lesson with an error keeps its former version."

    def handle(self, *args, **options):
        loaded, findings = course_loading.load_all()
        for finding in findings:
            self.stderr.write(str(finding))
        self.stdout.write(f"{loaded} lessons loaded, {len(findings)} findings")
