"""Run by ``manage.py shell``: dora has passed every task and every exam, elsa has begun one with a question of each kind."""

from collections import Counter

from django.contrib.auth import get_user_model
from django.utils import timezone

from labs import exams
from labs.models import Course, ExamAttempt, Lesson, Module, TaskResult

users = get_user_model().objects
dora = users.create_user("dora", "dora@example.test", "correct horse battery")
elsa = users.create_user("elsa", "elsa@example.test", "correct horse battery")
users.create_user("fritz", "fritz@example.test", "correct horse battery")
course = Course.objects.get(slug="virtualization-and-containers")
for lesson in Lesson.objects.filter(module__course=course):
    for task in (lesson.lab or {}).get("tasks", []):
        TaskResult.objects.create(user=dora, lesson=lesson, task=task["id"], state="passed", passed_at=timezone.now())


def right(question):
    options = question["options"]
    return {"single": lambda: next(each["id"] for each in options if each["correct"]),
            "multiple": lambda: [each["id"] for each in options if each["correct"]],
            "order": lambda: {each["id"]: str(each["place"]) for each in options},
            "number": lambda: question["answer"], "text": lambda: question["answer"]}[question["kind"]]()


for module in Module.objects.filter(course=course):
    attempt = exams.begin(dora, module)
    exams.save(attempt, {question["id"]: right(question) for question in attempt.questions})
    assert exams.hand_in(attempt).percent == 100

pool = [question for module in Module.objects.filter(course=course) for question in module.exam["pool"]]
each = {question["kind"]: question for question in pool}
ExamAttempt.objects.create(user=elsa, module=Module.objects.get(course=course, slug="virtualization"), seed=1, pass_percent=75,
                           begun_at=timezone.now(), questions=exams.draw(list(each.values()), len(each), 1, Counter()))
