"""What a page remembers of its parts: the same for everybody, and never anything of a person."""

import re

import pytest
from django.contrib.auth.models import AnonymousUser
from django.template import Context, Template, TemplateSyntaxError
from django.test import Client
from django.utils import translation
from django.utils.safestring import mark_safe

from labs import lesson_blocks, lesson_text
from labs.models import Answer, Lesson
from tests.web.test_lesson_pages import BLOCKS

pytestmark = pytest.mark.django_db(transaction=True)


def template(inside: str) -> Template:
    return Template("{% load i18n static still icons %}{% still %}" + inside + "{% endstill %}")


@pytest.mark.parametrize("inside", [
    "words", '{% trans "words" %}', '{% static "icon.svg" %}', "{% url 'course-home' %}", '{% include "_icon.html" with name="play" %}'])
def test_what_is_the_same_for_everybody_may_stand_still(inside):
    still = template(inside)
    assert still.render(Context()) == still.render(Context({"user": "alice"})) != ""


@pytest.mark.parametrize("inside", [
    "{{ user }}", "{{ request.path|upper }}", "{% csrf_token %}", "{% if user %}yes{% endif %}", "{% for x in y %}{% endfor %}",
    "{% trans user %}", "{% static path %}", "{% url 'session' session.id %}", "{% url name %}", "{% include part %}",
    '{% include "_icon.html" with name=user %}', "{% blocktrans %}{{ user }}{% endblocktrans %}", "{% with a=user %}{% endwith %}"])
def test_what_may_differ_is_refused_when_the_template_is_read(inside):
    with pytest.raises(TemplateSyntaxError, match="reader to reader"):
        template(inside)


def test_an_included_part_sees_nothing_of_the_page(settings, tmp_path):
    (tmp_path / "nosy.html").write_text("[{{ user }}{{ request }}{{ name }}]")
    engine = {**settings.TEMPLATES[0], "DIRS": [tmp_path]}
    settings.TEMPLATES = [engine]
    assert template('{% include "nosy.html" with name="x" %}').render(Context({"user": "alice", "request": 1})) == "[x]"


def test_each_language_has_its_own():
    still = template('{% trans "January" %}')
    for _ in range(2):
        for language, word in (("de", "Januar"), ("en-gb", "January"), ("fr", "janvier")):
            with translation.override(language):
                assert still.render(Context()) == word


def test_a_document_is_rendered_once_for_a_language_and_text(django_assert_num_queries):
    text = '{"steps": [{"id": "a", "title": "A", "blocks": [{"kind": "html", "html": "<p>1</p>"}, {"kind": "html", "html": "2"},' \
           ' {"kind": "task", "task": "t"}, {"kind": "html", "html": "3"}]}]}'
    with django_assert_num_queries(0):
        shown = lesson_text.rendered(text, "en-gb")
    assert [(block["kind"], "".join(block.get("html", "").split())) for block in shown["steps"][0]["blocks"]] == [
        ("html", "<p>1</p>2"), ("task", ""), ("html", "3")]
    assert lesson_text.rendered(text, "en-gb") is shown
    assert lesson_text.rendered(text, "de") is not shown
    assert lesson_text.rendered(text.replace("<p>1</p>", "<p>4</p>"), "en-gb") is not shown


@pytest.fixture
def lesson(lesson):
    lesson.document = {"steps": [{"id": "one", "title": "Step one", "blocks": BLOCKS}]}
    lesson.save()
    return lesson


def as_each(lesson, *users) -> list[str]:
    """The page as each user sees it, twice around, so that all that is remembered has been remembered."""
    pages = []
    for user in (*users, *users):
        client = Client()
        if user.is_authenticated:
            client.force_login(user)
        pages.append(client.get(lesson.get_absolute_url()).content.decode())
    return pages


def test_each_reader_gets_their_own_page(alice, bob, ines, charlie, lesson, hosts):
    Answer.objects.create(user=alice, lesson=lesson, block="q", kind="quiz", correct=False, given={"one": "o1"})
    Answer.objects.create(user=alice, lesson=lesson, block="guess", kind="predict", correct=False, given="alices-guess")
    for round_ in range(2):
        pages = dict(zip(("alice", "bob", "ines", "charlie"), as_each(lesson, alice, bob, ines, charlie)[round_ * 4:], strict=False))
        for name, html in pages.items():
            assert [other for other in pages if f"{other}: your progress" in html] == ([] if name == "charlie" else [name])
            assert ("alices-guess" in html) is (name == "alice")
            assert ("That is another." in html) is (name == "alice")
            assert ('href="/operator/"' in html) is (name == "ines")
            assert ("csrfmiddlewaretoken" in html and "Sign out" in html) is (name != "charlie")


def test_no_two_pages_share_a_token_or_a_nonce(alice, bob, lesson, hosts):
    pages = as_each(lesson, alice, bob)
    for what in (r'csrfmiddlewaretoken" value="(\w+)"', r'csp-nonce" content="([^"]+)"'):
        found = [set(re.findall(what, html)) for html in pages]
        assert all(len(values) == 1 for values in found)
        assert len(set.union(*found)) == len(pages)


def test_the_token_of_a_remembered_page_is_one_s_own(alice, bob, lesson, hosts):
    as_each(lesson, bob)
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    html = client.get(lesson.get_absolute_url()).content.decode()
    token = re.search(r'csrfmiddlewaretoken" value="(\w+)"', html)[1]
    assert client.post(f"{lesson.get_absolute_url()}hints/one-1/", {"csrfmiddlewaretoken": token}).status_code == 302
    stranger = Client(enforce_csrf_checks=True)
    stranger.force_login(bob)
    stranger.get(lesson.get_absolute_url())
    assert stranger.post(f"{lesson.get_absolute_url()}hints/one-1/", {"csrfmiddlewaretoken": token}).status_code == 403


def test_an_alike_part_sees_its_values_and_nothing_else(settings, tmp_path):
    (tmp_path / "nosy.html").write_text("[{{ user }}{{ request }}{{ csrf_token }}{{ title }}]")
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]
    part = Template('{% load still %}{% alike "nosy.html" title=title %}')
    for user in ("alice", "bob"):
        assert part.render(Context({"user": user, "request": 1, "csrf_token": "t", "title": "<b>"})) == "[&lt;b&gt;]"
    assert part.render(Context({"title": mark_safe("<b>")})) == "[<b>]", "what is safe is another value than what looks like it"


def test_an_alike_part_needs_values_that_can_be_compared():
    with pytest.raises(TypeError, match="unhashable"):
        Template('{% load still %}{% alike "labs/_step_link.html" id=steps %}').render(Context({"steps": []}))


def test_what_stands_in_for_something_of_a_reader_leaves_no_page(alice, bob, lesson, hosts):
    """The places of the token, of an option's name and of a cut are known to nobody outside."""
    for html in as_each(lesson, alice, bob, AnonymousUser()):
        assert not any(place in html for place in (lesson_blocks.TOKEN, lesson_blocks.NAME, lesson_blocks.CUT))


def test_a_block_in_the_same_state_is_rendered_once_for_all_readers(alice, bob, lesson, hosts, monkeypatch):
    lesson_blocks._pieces.cache_clear()
    first, second = as_each(lesson, alice)
    with monkeypatch.context() as patch:
        patch.setattr(lesson_blocks, "_render", None)
        others = as_each(lesson, bob)[0]
    assert "Your prediction" in others
    assert len({tuple(re.findall(r'value="(\w{12})"', html)) for html in (first, second, others)}) == 2, "names of their own"


def test_another_course_with_the_same_text_has_its_own_addresses(alice, lesson, hosts):
    as_each(lesson, alice)
    other = Lesson.objects.create(module=lesson.module, slug="twin", title="Twin", document=lesson.document, lab=lesson.lab,
                                  lab_digest=lesson.lab_digest)
    html = as_each(other, alice)[1]
    assert f'action="{other.get_absolute_url()}answers/guess/"' in html
    assert f"{lesson.get_absolute_url()}answers/" not in html
