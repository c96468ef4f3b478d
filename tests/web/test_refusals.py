"""What somebody sees who is refused: a page of the site with the next step, and after signing in the page they came from."""

import pytest
from django.template.loader import render_to_string
from django.test import Client, RequestFactory

from labs.templatetags.sizes import binary_size

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(("referer", "back"), [
    ("http://testserver/me/?page=2", "/me/%3Fpage%3D2"), ("", "/"), ("http://evil.example/me/", "/"), ("javascript:alert(1)", "/")])
def test_whoever_sent_a_form_signed_out_comes_back_to_its_page(client, lesson, referer, back):
    answer = client.post(f"{lesson.get_absolute_url()}sessions/", headers={"referer": referer})
    assert answer.url == f"/accounts/login/?next={back}"


def test_whoever_opens_a_page_signed_out_comes_back_to_it(client):
    assert client.get("/me/numbers/", headers={"referer": "http://testserver/"}).url == "/accounts/login/?next=/me/numbers/"


def test_a_staff_form_sent_signed_out_leads_back_to_its_page(client):
    answer = client.post("/operator/join-tokens/", headers={"referer": "http://testserver/operator/"})
    assert answer.url == "/accounts/login/?next=/operator/"


def test_a_form_with_an_old_token_says_so_in_our_design(alice, lesson):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(alice)
    answer = strict.post(f"{lesson.get_absolute_url()}sessions/")
    assert answer.status_code == 403
    assert "This form is too old" in answer.content.decode()
    assert 'class="site-bar"' in answer.content.decode()


def test_a_page_for_staff_says_who_one_is(as_alice):
    assert "You are signed in as alice" in as_alice.get("/operator/").content.decode()


def test_what_the_site_can_t_read_is_answered_in_our_design(client, settings):
    answer = client.get("/", headers={"host": "elsewhere.example"})
    assert answer.status_code == 400
    assert 'class="site-bar"' in answer.content.decode()


def test_too_many_tries_are_answered_in_our_design():
    assert "Wait a few minutes" in render_to_string("429.html", request=RequestFactory().get("/"))


@pytest.mark.parametrize(("amount", "written"), [
    (None, ""), (0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (10 * 1024 - 1, "10.0 KiB"), (10 * 1024, "10 KiB"), (2 << 30, "2.0 GiB"), (3 << 50, "3072 TiB")])
def test_sizes_are_written_as_the_x_ray_writes_them(amount, written):
    assert binary_size(amount) == written.replace(" ", "\xa0")
