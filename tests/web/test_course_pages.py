"""The glossary, the search and the student's own numbers."""

import uuid

import pytest

from labs import numbers, search
from labs.course import terms
from labs.models import Course, Lesson, Measurement, Module

pytestmark = pytest.mark.django_db
OPENING = """
Words about the lesson.

**Process.** A running program,
with its memory.

**Virtual machine**, VM for short. A computer made by software.

**Clock.** There are several:

- one that stops
- one that does not

**Bold** words in a sentence. They define nothing.

```text
**Fenced.** This is code.
```

:::note
**Aside.** This is an aside.
:::
""".splitlines()


def lesson(slug: str, *texts: str, module=None, blocks=(), **fields) -> Lesson:
    module = module or Module.objects.get_or_create(
        slug="m", course=Course.objects.get_or_create(slug="c", title="C")[0], title="M")[0]
    steps = [{"id": f"s{number}" if number else "", "title": f"Step {number}" if number else "",
              "blocks": [{"kind": "html", "html": f"<p>{text}</p>"}, *blocks]} for number, text in enumerate(texts)]
    return Lesson.objects.create(module=module, slug=slug, title=slug.title(), html_version=uuid.uuid4().hex,
                                 position=Lesson.objects.count(),
                                 document={"steps": steps, "terms": [], "cards": []}, **fields)


def test_definitions_are_found_and_nothing_else():
    found = terms.find(OPENING)
    assert [term.names for term in found] == [("Process",), ("Virtual machine", "VM"), ("Clock",)]
    assert "running program,\nwith its memory" in found[0].html
    assert "one that does not" in found[2].html


@pytest.mark.parametrize(("text", "linked"), [
    ("<p>Two processes run.</p>", '<a class="defined" href="/g#process" data-term="process">processes</a> run'),
    ("<p>A VM, a VM.</p>", 'data-term="virtual-machine">VM</a>, a VM.'),
    ("<p><code>process</code> <a href='x'>process</a></p>", "<code>process</code> <a href='x'>process</a>"),
    ("<h3>Process</h3>", "<h3>Process</h3>"),
    ("<p>reprocess processing</p>", "<p>reprocess processing</p>"),
])
def test_the_first_use_of_a_word_is_linked_and_only_in_running_text(text, linked):
    document = {"steps": [{"blocks": [{"kind": "html", "html": text}]}]}
    terms.link(document, terms.find(OPENING), lambda slug: f"/g#{slug}")
    assert linked in document["steps"][0]["blocks"][0]["html"]


def test_a_short_single_word_is_not_linked():
    document = {"steps": [{"blocks": [{"kind": "html", "html": "<p>The clock stops.</p>"}]}]}
    assert terms.link(document, terms.find(OPENING), lambda slug: slug) == []


def test_the_glossary_names_each_word_once_with_all_its_lessons(client):
    first, second = lesson("first", "x"), lesson("second", "y")
    for row, text in ((first, "A program."), (second, "A running program.")):
        row.document["terms"] = [{"slug": "process", "names": ["Process", "task"], "html": f"<p>{text}</p>"}]
        row.save()
    page = client.get("/glossary/").content.decode()
    assert page.count('id="process"') == 1
    assert "A program." in page
    assert "A running program." not in page
    assert first.get_absolute_url() in page
    assert second.get_absolute_url() in page


def test_an_empty_glossary_says_what_will_be_there(client):
    assert "No words yet" in client.get("/glossary/").content.decode()


def test_every_word_must_be_found_and_the_place_is_named(client):
    lesson("pids", "nothing here", "a namespace for process numbers", "a limit for processes")
    assert [hit.url[-3:] for hit in search.find("names proc")] == ["#s1"]
    assert search.find("names absent") == []


def test_titles_weigh_more_than_text():
    lesson("cgroups", "cgroups " * 3)
    lesson("other", "cgroups " * 4)
    assert [hit.lesson.slug for hit in search.find("cgroups")] == ["cgroups", "other"]


def test_a_changed_lesson_is_found_by_its_new_words():
    row = lesson("one", "old words")
    assert search.find("old")
    row.document["steps"][0]["blocks"][0]["html"] = "<p>new words</p>"
    row.html_version = uuid.uuid4().hex
    row.save()
    assert not search.find("old")
    assert search.find("new")


@pytest.mark.parametrize("query", ["<script>alert(1)</script>", "\"'><b>", "*", "(", "a" * 500, "\\", ""])
def test_a_query_is_text_and_never_a_pattern_or_markup(client, query):
    lesson("one", "&lt;script&gt;alert(1)&lt;/script&gt; and ( more")
    answer = client.get("/search/", {"q": query})
    assert answer.status_code == 200
    assert "<script>alert" not in answer.content.decode()


def test_a_snippet_marks_what_was_asked_for():
    lesson("one", "The kernel counts them. " * 30 + "Here a throttled group waits. " + "More. " * 40)
    found = search.find("throttled")[0].snippet
    assert "<mark>throttled</mark>" in found
    assert len(found) < 260


MEASURE = {"kind": "measure", "id": "boot", "unit": "ms", "label": "How long it took", "command": ""}


def test_my_numbers_are_mine(client, alice, bob):
    row = lesson("one", "x", blocks=[MEASURE, {"kind": "when", "condition": {}, "blocks": [{**MEASURE, "id": "inner"}]}])
    Measurement.objects.create(user=bob, lesson=row, block="boot", value=987654, unit="ms")
    assert [(entry["id"], entry["value"]) for entry in numbers.of(alice)[0]["rows"]] == [("boot", None), ("inner", None)]
    client.force_login(alice)
    page = client.get("/me/numbers/").content.decode()
    assert "How long it took" in page
    assert "987654" not in page


@pytest.mark.parametrize("count", [4, 5])
def test_the_class_is_shown_from_five_on(django_user_model, count):
    row = lesson("one", "x", blocks=[MEASURE])
    users = [django_user_model.objects.create_user(f"u{number}") for number in range(count)]
    for number, user in enumerate(users):
        Measurement.objects.create(user=user, lesson=row, block="boot", value=number, unit="ms")
    found = numbers.of(users[0])[0]["rows"][0]["class"]
    assert found == (None if count < 5 else {"count": 5, "low": 0, "median": 2, "high": 4})


def test_charlie_has_no_numbers(client):
    assert client.get("/me/numbers/").status_code == 302


def test_the_guide_of_the_site_is_the_students_guide(client):
    page = client.get("/guide/").content.decode()
    assert "<h2>Stop" not in page and "<h2>Time</h2>" in page
    assert page.count("<h1>") == 1
    assert 'href="/guide/"' in client.get("/").content.decode()
