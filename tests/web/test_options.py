"""What pages carry of options: names and an order that tell nothing, for every reader others, and answers that stay."""

import re
from collections import Counter
from random import Random

import pytest
from django.contrib.auth.models import AnonymousUser

from labs import exams, marking, options
from labs.course import containers, loader
from labs.models import Answer
from tests.web.test_exams import question
from tests.web.test_offline import CONTENT

pytestmark = pytest.mark.django_db
LINES = [{"id": f"o{place}", "html": f"line {place}", "correct": False, "feedback_html": ""} for place in range(4)]
CHOICES = [{"id": f"o{place}", "html": f"choice {place}", "correct": place == 0, "feedback_html": f"about {place}"}
           for place in range(3)]
BLOCKS = [
    {"kind": "predict", "id": "guess", "kind_of": "choice", "question_html": "What?", "answer": "o1", "tolerance": None,
     "unit": "", "explain_html": "Because.", "options": [{"id": f"o{place}", "html": f"guess {place}"} for place in range(3)]},
    {"kind": "quiz", "id": "check", "questions": [
        {"id": "q1", "kind": "order", "prompt_html": "Order?", "feedback_html": "", "options": LINES},
        {"id": "q2", "kind": "single", "prompt_html": "Which?", "feedback_html": "", "options": CHOICES},
        {"id": "q3", "kind": "multiple", "prompt_html": "Which ones?", "feedback_html": "", "options": [
            {**option, "html": f"some {option['id']}", "correct": option["id"] != "o2"} for option in CHOICES]}]}]


@pytest.fixture
def lesson(lesson):
    lesson.document = {"steps": [{"id": "one", "title": "Step one", "blocks": BLOCKS}]}
    lesson.save()
    return lesson


def page(client, lesson) -> str:
    return client.get(lesson.get_absolute_url()).content.decode()


def on_page(html: str) -> dict[str, tuple[str, str]]:
    """The field and the value behind each label, as they are shown."""
    fields = {found["id"]: (found["name"], found["value"]) for found in re.finditer(
        r'<input(?=[^>]* name="(?P<name>[^"]*)")(?=[^>]* value="(?P<value>[^"]*)")(?=[^>]* id="(?P<id>[pq]-[^"]*)")[^>]*>', html)}
    return {found[2]: fields[found[1]] for found in re.finditer(r'<label for="([pq]-[^"]*)">([^<]*)</label>', html)}


def send(client, lesson, block, fields):
    return client.post(f"{lesson.get_absolute_url()}answers/{block}/", fields)


def test_nothing_on_a_page_counts_the_way_the_author_did(as_alice, lesson, hosts):
    html = page(as_alice, lesson)
    found = on_page(html)
    assert len(found) == 3 + 4 + 3 + 3
    assert not re.search(r'["\-.]o\d+"', html)
    values = [field.partition(".")[2] or value for field, value in found.values()]
    assert len(set(values)) == len(values), "no name is used twice: the same one would tell in the next question"
    assert all(re.fullmatch(r"[0-9a-f]{12}", value) for value in values)


def test_an_answer_comes_back_to_where_it_was_given_and_is_stored_under_the_author_s_ids(as_alice, lesson, hosts):
    found = on_page(page(as_alice, lesson))
    fields = {found[f"line {place}"][0]: str(place + 1) for place in range(4)}
    fields |= {"q2": found["choice 0"][1], "q3": [found["some o0"][1], found["some o1"][1]]}
    send(as_alice, lesson, "check", fields)
    row = Answer.objects.get()
    assert row.given == {"q1": {"o0": "1", "o1": "2", "o2": "3", "o3": "4"}, "q2": "o0", "q3": ["o0", "o1"]}
    assert row.correct
    html = page(as_alice, lesson)
    again = on_page(html)
    assert {label: again[label] for label in found if not label.startswith("line")} == {
        label: found[label] for label in found if not label.startswith("line")}
    assert [again[f"line {place}"] for place in range(4)] == [
        (found[f"line {place}"][0], str(place + 1)) for place in range(4)]
    assert html.count(" checked") == 3


def test_a_prediction_is_stored_by_its_id_and_shown_again(as_alice, lesson, hosts):
    found = on_page(page(as_alice, lesson))
    send(as_alice, lesson, "guess", {"answer": found["guess 1"][1]})
    assert (Answer.objects.get().given, Answer.objects.get().correct) == ("o1", True)
    assert re.search(rf'value="{found["guess 1"][1]}"[^>]* checked', page(as_alice, lesson))


@pytest.mark.parametrize("given", ["o1", "0123456789ab", ""])
def test_what_the_page_did_not_offer_is_no_prediction(as_alice, lesson, hosts, given):
    assert send(as_alice, lesson, "guess", {"answer": given}).status_code == 302
    assert not Answer.objects.exists()


def test_the_author_s_ids_answer_nothing(as_alice, lesson, hosts):
    send(as_alice, lesson, "check", {"q2": "o0", "q3": ["o0", "o1"], **{f"q1.o{place}": str(place + 1) for place in range(4)}})
    row = Answer.objects.get()
    assert row.given == {"q1": dict.fromkeys(("o0", "o1", "o2", "o3"), ""), "q2": "", "q3": []}
    assert not row.correct


def test_bobs_page_has_other_names(as_alice, bob, client, lesson, hosts):
    alices = on_page(page(as_alice, lesson))
    client.force_login(bob)
    bobs = on_page(page(client, lesson))
    assert alices.keys() == bobs.keys()
    assert not set(alices.values()) & {each for each in bobs.values() if each[1]}


def test_charlie_s_page_has_names_of_its_own(client, lesson, hosts):
    assert not re.search(r'["\-.]o\d+"', page(client, lesson))


def test_another_key_of_the_site_loses_no_answer(as_alice, alice, lesson, hosts, settings):
    found = on_page(page(as_alice, lesson))
    send(as_alice, lesson, "check", {"q2": found["choice 0"][1]})
    settings.SECRET_KEY = "another-" * 8
    as_alice.force_login(alice)
    html = page(as_alice, lesson)
    again = on_page(html)
    assert again["choice 0"] != found["choice 0"]
    assert re.search(rf'value="{again["choice 0"][1]}"[^>]* checked', html)


def test_lines_are_mixed_alike_at_every_look_and_never_right():
    orders = Counter()
    for reader in range(600):
        mixed = options.mixed(LINES[:3], options.key(f"{reader}"), True)
        assert mixed == options.mixed(LINES[:3], options.key(f"{reader}"), True)
        orders[tuple(option["id"] for option in mixed)] += 1
    assert ("o0", "o1", "o2") not in orders
    assert len(orders) == 5 and min(orders.values()) > 600 / 5 * 0.6, orders


def test_neither_place_nor_name_of_a_choice_tells_which_it_is():
    places, ranks = Counter(), Counter()
    for reader in range(900):
        mixed = options.mixed(CHOICES, options.key(f"{reader}"), False)
        names = options.names(CHOICES, options.key(f"{reader}"))
        places[[option["id"] for option in mixed].index("o0")] += 1
        ranks[[option["id"] for option in mixed] == sorted(names, key=names.get)] += 1
    assert all(220 < places[place] < 380 for place in range(3)), places
    assert 90 < ranks[True] < 220, "one order in six is the names' by chance"


def test_in_an_exam_the_right_choice_is_as_often_first_as_last():
    three = question("x", options=[{**option, "id": option["html"]} for option in CHOICES])
    places = Counter(next(at for at, option in enumerate(exams._mixed(three, "q1", Random(seed))["options"]) if option["correct"])
                     for seed in range(900))
    assert all(220 < places[place] < 380 for place in range(3)), places


@pytest.mark.parametrize(("places", "is_right"), [
    (["1", "2", "3", "4"], True), (["01", " 2", "3 ", "4"], True), (["", "", "", ""], False), (["1", "1", "1", "1"], False),
    (["2", "1", "3", "4"], False), (["1", "2", "3", ""], False), (["0", "1", "2", "3"], False)])
def test_lines_are_in_order_when_each_has_its_own_place(places, is_right):
    answer = {f"o{at}": place for at, place in enumerate(places)}
    assert marking.is_right({"kind": "order", "options": LINES}, answer) is is_right


def test_two_lines_are_none_to_be_put_in_order():
    with pytest.raises(containers.ContainerError, match="three lines"):
        containers.question("q1", ["### Which?", "1. one", "2. two", "> So."], 0)
    assert containers.question("q1", ["### Which?", "1. one", "2. two", "3. three", "> So."], 0)["kind"] == "order"


def test_every_line_of_the_course_has_an_order_that_is_not_its_own(lesson):
    course, _ = loader.load_course(CONTENT)
    found = [(block, asked) for module in course.modules for each in module.lessons for step in each.document["steps"]
             for block in step["blocks"] if block["kind"] == "quiz" for asked in block["questions"] if asked["kind"] == "order"]
    assert len(found) >= 10
    for block, asked in found:
        key = options.key_of(AnonymousUser(), lesson, block["id"], asked["id"])
        assert options.mixed(asked["options"], key, True) != asked["options"]


def test_a_prediction_says_which_was_right_only_when_it_is_made(as_alice, lesson, hosts):
    fresh = page(as_alice, lesson)
    assert "your answer" not in fresh and 'class="tag right"' not in fresh
    wrong = next(value for label, (_, value) in on_page(fresh).items() if label == "guess 0")
    send(as_alice, lesson, "guess", {"answer": wrong})
    html = page(as_alice, lesson)
    assert re.search(r"guess 0</label>\s*<p class=\"tags\"><strong class=\"tag\">your answer", html)
    assert re.search(r"guess 1</label>\s*<p class=\"tags\"> <strong class=\"tag right\">right", html)
    assert html.count('class="tags"') == 2
