"""Final exams: drawing, answers that are kept, marking, waiting, and nothing given away."""

import re
from collections import Counter
from datetime import timedelta

import pytest
from django.utils import timezone

from labs import exams
from labs.models import ExamAttempt, Module

pytestmark = pytest.mark.django_db


def option(text, is_right):
    return {"id": text, "html": text, "correct": is_right, "place": False, "feedback_html": f"<p>about {text}</p>"}


def question(name, kind="single", lesson="l", **fields):
    options = {"single": [option("yes", True), option("no", False)],
               "multiple": [option("red", True), option("green", True), option("blue", False)],
               "order": [option("first", False), option("second", False), option("third", False)]}.get(kind, [])
    return {"id": name, "lesson": lesson, "kind": kind, "prompt_html": f"<p>{name}?</p>", "options": options, "answer": None,
            "tolerance": None, "feedback_html": "<p>because</p>", **fields}


POOL = [question("s1"), question("m1", "multiple"), question("o1", "order"), question("n1", "number", answer="4096", tolerance="0.5"),
        question("s2", lesson="k"), question("s3", lesson="k"), question("t1", "text", answer="pivot_root", lesson="k"),
        question("s4", lesson="k")]


@pytest.fixture
def module(lesson):
    lesson.module.exam = {"questions": 4, "pass_percent": 75, "wait_minutes": 30, "pool": POOL}
    lesson.module.save()
    return lesson.module


def right_answers(attempt):
    """A form with the right answer to everything."""
    form = {}
    for asked in attempt.questions:
        if asked["kind"] in ("single", "multiple"):
            form[asked["id"]] = [each["id"] for each in asked["options"] if each["correct"]]
        elif asked["kind"] == "order":
            form |= {f"{asked['id']}.{each['id']}": str(each["place"]) for each in asked["options"]}
        else:
            form[asked["id"]] = asked["answer"]
    return form


def with_everything(user, module):
    """An attempt with a question of each kind."""
    attempt = exams.begin(user, module)
    attempt.questions = exams.draw(POOL[:4] + POOL[6:7], 5, 1, Counter())
    attempt.save()
    return attempt


# --- drawing ----------------------------------------------------------------------------------------------


def test_what_is_drawn_is_spread_over_the_lessons_and_the_same_for_the_same_seed():
    drawn = exams.draw(POOL, 4, 7, Counter())
    assert Counter(asked["lesson"] for asked in drawn) == {"l": 2, "k": 2}
    assert exams.draw(POOL, 4, 7, Counter()) == drawn
    assert exams.draw(POOL, 4, 8, Counter()) != drawn


def test_a_second_attempt_is_asked_other_questions(alice, module):
    first = exams.begin(alice, module)
    exams.hand_in(first)
    ExamAttempt.objects.update(handed_in_at=timezone.now() - timedelta(hours=1))
    second = exams.begin(alice, module)
    assert not {asked["source"] for asked in first.questions} & {asked["source"] for asked in second.questions}


@pytest.mark.parametrize("seed", range(20))
def test_lines_to_be_put_in_order_are_never_shown_in_their_order(seed):
    asked = exams.draw([question("o1", "order")], 1, seed, Counter())[0]
    assert [each["place"] for each in asked["options"]] != [1, 2, 3]
    assert [each["id"] for each in asked["options"]] == ["a", "b", "c"]


# --- marking ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "answer", "is_right"), [
    ("single", "right", True), ("single", "wrong", False), ("multiple", "right", True), ("multiple", "one of two", False),
    ("multiple", "one too many", False), ("order", "right", True), ("order", "all first", False), ("order", "one missing", False)])
def test_a_question_counts_as_a_whole(kind, answer, is_right):
    asked = exams.draw([question("x", kind)], 1, 3, Counter())[0]
    good = [each["id"] for each in asked["options"] if each["correct"]]
    bad = [each["id"] for each in asked["options"] if not each["correct"]]
    places = {each["id"]: str(each["place"]) for each in asked["options"]}
    given = {"single": {"right": good[:1] and good[0], "wrong": bad[0]},
             "multiple": {"right": good, "one of two": good[:1], "one too many": good + bad},
             "order": {"right": places, "all first": dict.fromkeys(places, "1"),
                       "one missing": dict(list(places.items())[:2])}}[kind][answer]
    assert exams.is_right(asked, given) is is_right


@pytest.mark.parametrize(("right", "is_passed"), [(2, False), (3, True), (4, True)])
def test_the_pass_mark_is_met_or_not(alice, module, right, is_passed):
    attempt = exams.begin(alice, module)
    form = right_answers(attempt)
    kept = {asked["id"] for asked in attempt.questions[:right]}
    exams.save(attempt, {name: answer for name, answer in exams.given(as_post(form), attempt.questions).items() if name in kept})
    attempt = exams.hand_in(attempt)
    assert (attempt.right, attempt.is_passed) == (right, is_passed)


def as_post(form):
    from django.http import QueryDict
    post = QueryDict(mutable=True)
    for name, value in form.items():
        post.setlist(name, value if isinstance(value, list) else [value])
    return post


def test_handing_in_twice_changes_nothing(alice, module):
    attempt = exams.hand_in(exams.begin(alice, module))
    again = exams.hand_in(attempt)
    assert again.handed_in_at == attempt.handed_in_at
    assert exams.save(attempt, {"q1": "a"}) is False


# --- waiting ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("minutes", "may"), [(29, False), (30, True), (31, True)])
def test_the_next_attempt_waits(alice, module, minutes, may):
    exams.hand_in(exams.begin(alice, module))
    ExamAttempt.objects.update(handed_in_at=timezone.now() - timedelta(minutes=minutes, seconds=1))
    if may:
        assert exams.begin(alice, module).handed_in_at is None
    else:
        with pytest.raises(exams.NotYet):
            exams.begin(alice, module)


def test_whoever_begins_twice_has_one_attempt(alice, module):
    assert exams.begin(alice, module) == exams.begin(alice, module)


# --- pages ------------------------------------------------------------------------------------------------


def test_a_whole_exam(as_alice, alice, module):
    page = as_alice.get("/exams/c/m/").content.decode()
    assert "Begin the exam" in page
    address = as_alice.post("/exams/c/m/attempts/").url
    attempt = ExamAttempt.objects.get()
    answer = as_alice.post(f"{address}submission/", right_answers(attempt))
    assert answer.url == address
    assert "4 of 4 right, 100 %" in as_alice.get(address).content.decode()
    assert "You have passed this exam: 100 %" in as_alice.get("/exams/c/m/").content.decode()
    assert "passed with 100 %" in as_alice.get("/").content.decode()


def test_a_review_has_lines_in_the_right_order_with_the_places_that_were_given(alice, module):
    attempt = with_everything(alice, module)
    asked = next(each for each in attempt.questions if each["kind"] == "order")
    given = {line["id"]: str(place) for place, line in enumerate(asked["options"], 1)}
    attempt.answers = {asked["id"]: given}
    lines = next(each for each in exams.reviewed(attempt) if each["kind"] == "order")["options"]
    assert [line["html"] for line in lines] == ["first", "second", "third"]
    assert [line["place"] for line in lines] == [given[line["id"]] for line in lines] != ["1", "2", "3"]


def test_answers_come_back_after_a_reload(as_alice, alice, module):
    attempt = with_everything(alice, module)
    form = right_answers(attempt)
    assert as_alice.post(f"/attempts/{attempt.pk}/answers/", form, headers={"X-Requested-With": "fetch"}).json() == {"kept": True}
    page = as_alice.get(attempt.get_absolute_url()).content.decode()
    assert page.count("checked") == 3  # one of the single, two of the multiple
    assert 'value="4096"' in page and 'value="pivot_root"' in page
    assert all(re.search(rf'name="{name}"[^>]*value="{place}"', page) for name, place in form.items() if "." in name)


def test_an_exam_in_two_tabs_keeps_the_answers_of_both(as_alice, alice, module):
    """The second was opened before anything was answered in the first, and sends its form whole."""
    attempt = with_everything(alice, module)
    form, address = right_answers(attempt), f"/attempts/{attempt.pk}"
    order, typed = (next(asked["id"] for asked in attempt.questions if asked["kind"] == kind) for kind in ("order", "text"))
    first = {name: answer for name, answer in form.items() if name.split(".")[0] != typed}
    as_alice.post(f"{address}/answers/", {**first, "changed": " ".join({name.split(".")[0] for name in first})})
    as_alice.post(f"{address}/answers/", {typed: form[typed], "changed": typed})
    as_alice.post(f"{address}/answers/", {**first, f"{order}.a": "", f"{order}.b": "", f"{order}.c": "", "changed": order})
    attempt.refresh_from_db()
    assert attempt.answers.keys() == {asked["id"] for asked in attempt.questions} - {order}, "what was cleared is cleared"
    places = {name: place for name, place in form.items() if name.startswith(f"{order}.")}
    as_alice.post(f"{address}/submission/", {**places, "changed": order})
    attempt.refresh_from_db()
    assert attempt.right == len(attempt.questions)


def test_nothing_in_an_open_exam_tells_what_is_right(as_alice, alice, module):
    attempt = with_everything(alice, module)
    page = as_alice.get(attempt.get_absolute_url()).content.decode()
    for secret in ("about yes", "about first", "because", "4096", "pivot_root"):
        assert secret not in page
    shown = exams.shown(attempt)
    assert {key for asked in shown for key in asked} == {"id", "kind", "prompt_html", "options", "given", "is_answered"}
    assert {key for asked in shown for each in asked["options"] for key in each} == {"id", "html", "chosen", "place"}
    exams.hand_in(attempt)
    page = as_alice.get(attempt.get_absolute_url()).content.decode()
    for told in ("about yes", "about no", "because", "4096", "pivot_root"):
        assert told in page


def test_who_left_questions_open_is_asked_once(as_alice, alice, module):
    attempt = exams.begin(alice, module)
    page = as_alice.post(f"/attempts/{attempt.pk}/submission/", {}).content.decode()
    assert "4 questions have no answer" in page
    attempt.refresh_from_db()
    assert attempt.handed_in_at is None
    as_alice.post(f"/attempts/{attempt.pk}/submission/", {"sure": "yes"})
    attempt.refresh_from_db()
    assert attempt.handed_in_at and not attempt.is_passed


def test_a_form_can_t_bring_what_was_not_asked(as_alice, alice, module):
    attempt = with_everything(alice, module)
    single = next(asked["id"] for asked in attempt.questions if asked["kind"] == "single")
    as_alice.post(f"/attempts/{attempt.pk}/answers/", {single: "z", "q99": "a"})
    attempt.refresh_from_db()
    assert attempt.answers == {}


def test_answers_after_handing_in_are_refused(as_alice, alice, module):
    attempt = exams.hand_in(exams.begin(alice, module))
    answer = as_alice.post(f"/attempts/{attempt.pk}/answers/", {"q1": "a"}, headers={"X-Requested-With": "fetch"})
    assert (answer.status_code, answer.json()) == (409, {"kept": False})


@pytest.mark.parametrize("path", ["", "answers/", "submission/"])
def test_an_attempt_is_its_owner_s(as_bob, alice, module, path):
    attempt = exams.begin(alice, module)
    ask = as_bob.post if path else as_bob.get
    assert ask(f"/attempts/{attempt.pk}/{path}").status_code == 404


def test_charlie_sees_the_rules_and_may_not_begin(client, module):
    assert "Sign in to take it" in client.get("/exams/c/m/").content.decode()
    assert client.post("/exams/c/m/attempts/").url.startswith("/accounts/login/")


def test_a_module_without_an_exam_has_no_page_for_it(as_alice, lesson):
    assert as_alice.get("/exams/c/m/").status_code == 404
    assert "Exam" not in as_alice.get("/").content.decode()


def test_too_early_says_when(as_alice, alice, module):
    exams.hand_in(exams.begin(alice, module))
    assert as_alice.post("/exams/c/m/attempts/").url == "/exams/c/m/"
    assert "The next attempt may begin at" in as_alice.get("/exams/c/m/").content.decode()
    assert Module.objects.get().attempts.count() == 1


def test_a_text_that_a_database_refuses_is_kept_without_what_it_refuses(as_alice, alice, module):
    attempt = with_everything(alice, module)
    text = next(asked["id"] for asked in attempt.questions if asked["kind"] == "text")
    as_alice.post(f"/attempts/{attempt.pk}/answers/", {text: "pivot\0root"})
    attempt.refresh_from_db()
    assert "\0" not in attempt.answers[text]
