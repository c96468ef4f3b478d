"""Certificates: who earns one, the name on it, the public page, and taking it back."""

import pytest
from django.utils import timezone

from labs import certificates
from labs.models import Certificate, ExamAttempt, TaskResult

pytestmark = pytest.mark.django_db


@pytest.fixture
def course(lesson):
    """One lab of two tasks, one exam, and a certificate for both."""
    lesson.module.exam = {"questions": 1, "pass_percent": 75, "wait_minutes": 0, "pool": []}
    lesson.module.save()
    lesson.module.course.certificate = {"hours": 22, "needs": ["labs", "exams"]}
    lesson.module.course.save()
    return lesson.module.course


def pass_tasks(user, lesson, *names):
    for name in names:
        TaskResult.objects.create(user=user, lesson=lesson, task=name, passed_at=timezone.now())


def pass_exam(user, module, is_passed=True):
    ExamAttempt.objects.create(user=user, module=module, seed=1, questions=[{}], pass_percent=75, begun_at=timezone.now(),
                               handed_in_at=timezone.now(), is_passed=is_passed)


@pytest.fixture
def earned(course, alice, lesson):
    pass_tasks(alice, lesson, "look", "leap")
    pass_exam(alice, lesson.module)
    return course


@pytest.fixture
def certificate(earned, alice):
    return certificates.give(alice, earned, "Alice Liddell")


@pytest.mark.parametrize(("tasks", "is_passed", "is_earned"), [
    (["look", "leap"], True, True), (["look"], True, False), (["look", "leap"], False, False), ([], True, False)])
def test_it_takes_every_task_and_every_exam(course, alice, lesson, tasks, is_passed, is_earned):
    pass_tasks(alice, lesson, *tasks)
    pass_exam(alice, lesson.module, is_passed)
    assert certificates.is_earned(certificates.needs_of(alice, course)) is is_earned


@pytest.mark.parametrize("needs", [["labs"], ["exams"]])
def test_a_course_may_ask_for_one_of_them_only(course, alice, lesson, needs):
    course.certificate["needs"] = needs
    course.save()
    assert not certificates.is_earned(certificates.needs_of(alice, course))
    if needs == ["labs"]:
        pass_tasks(alice, lesson, "look", "leap")
    else:
        pass_exam(alice, lesson.module)
    assert certificates.is_earned(certificates.needs_of(alice, course))


def test_a_course_with_nothing_to_do_gives_nothing(course, alice, lesson):
    lesson.lab = None
    lesson.save()
    course.certificate["needs"] = ["labs"]
    assert not certificates.is_earned(certificates.needs_of(alice, course))


def test_who_has_not_earned_it_sees_what_is_missing_and_gets_none(as_alice, course):
    page = as_alice.get("/me/certificates/c/").content.decode()
    assert "0 of 1 labs" in page and "Get the certificate" not in page
    as_alice.post("/me/certificates/c/", {"name": "Alice"})
    assert not Certificate.objects.exists()


def test_a_name_is_chosen_and_changed(as_alice, earned):
    assert "Your certificate is ready" in as_alice.get("/").content.decode()
    as_alice.post("/me/certificates/c/", {"name": "  Zoë   Łukasz-O’Neill "})
    found = Certificate.objects.get()
    assert (found.name, found.title, found.hours) == ("Zoë Łukasz-O’Neill", "C", 22)
    as_alice.post("/me/certificates/c/", {"name": "Ζωή"})
    found.refresh_from_db()
    assert (found.name, Certificate.objects.count()) == ("Ζωή", 1)


@pytest.mark.parametrize("name", ["", "A", "x" * 81, "<b>Alice</b>", "愛麗絲", "Alice 😀", "A\u202eB"])
def test_a_name_that_can_t_be_printed_is_refused_beside_its_field(as_alice, earned, name):
    answer = as_alice.post("/me/certificates/c/", {"name": name})
    assert answer.status_code == 422
    assert 'class="error"' in answer.content.decode()
    assert not Certificate.objects.exists()


# --- the public page --------------------------------------------------------------------------------------


def test_everybody_with_the_link_sees_name_and_course_and_no_more(client, certificate, alice):
    page = client.get(f"/verify/{certificate.pk}/").content.decode()
    assert "Valid" in page and "Alice Liddell has finished the course “C”" in page
    assert alice.username not in page.replace("Alice", "")
    assert 'name="robots" content="noindex"' in page


@pytest.mark.parametrize("id_", ["1f6d9b52-6d37-4c35-9d7c-3c1a0e4a7b11", "1", "x" * 300, "ünknown"])
def test_an_unknown_one_is_called_so(client, certificate, id_):
    answer = client.get(f"/verify/{id_}/")
    assert (answer.status_code, "Unknown" in answer.content.decode()) == (404, True)


def test_a_revoked_one_is_called_so_and_can_t_be_printed(client, certificate, alice, ines):
    client.force_login(ines)
    client.post(f"/certificates/{certificate.pk}/revocation/")
    page = client.get(f"/verify/{certificate.pk}/").content.decode()
    assert "Revoked" in page and "has finished" not in page
    client.force_login(alice)
    assert client.get(f"/certificates/{certificate.pk}.pdf").status_code == 404
    assert "was revoked on" in client.get("/me/certificates/c/").content.decode()
    client.post("/me/certificates/c/", {"name": "Somebody Else"})
    assert Certificate.objects.get().name == "Alice Liddell"


def test_revoking_can_be_undone_and_asked_twice(client, certificate, ines):
    client.force_login(ines)
    for _ in range(2):
        client.post(f"/certificates/{certificate.pk}/revocation/")
    assert "Make valid" in client.get("/certificates/").content.decode()
    for _ in range(2):
        client.post(f"/certificates/{certificate.pk}/revocation/", {"undo": "yes"})
    assert "Valid" in client.get(f"/verify/{certificate.pk}/").content.decode()


def test_only_staff_list_and_revoke(as_bob, certificate):
    assert as_bob.get("/certificates/").status_code == 403
    assert as_bob.post(f"/certificates/{certificate.pk}/revocation/").status_code == 403
    certificate.refresh_from_db()
    assert certificate.revoked_at is None


def test_the_file_is_its_holder_s(as_bob, certificate):
    assert as_bob.get(f"/certificates/{certificate.pk}.pdf").status_code == 404


def test_charlie_is_asked_to_sign_in(client, certificate):
    for path in ("/me/certificates/c/", "/certificates/", f"/certificates/{certificate.pk}.pdf"):
        assert client.get(path).url.startswith("/accounts/login/")


def test_a_course_without_a_certificate_has_no_page_for_it(as_alice, lesson):
    assert as_alice.get("/me/certificates/c/").status_code == 404
    assert "Certificate" not in as_alice.get("/").content.decode()


def test_a_certificate_outlives_its_course(client, certificate, earned):
    earned.delete()
    assert "Valid" in client.get(f"/verify/{certificate.pk}/").content.decode()
