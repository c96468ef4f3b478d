"""Ways in: the one-time link, the sign-up switch, and who may see the operator's page."""

from datetime import timedelta

import pytest
from django.core import signing
from django.utils import timezone

from labs import one_time

pytestmark = pytest.mark.django_db
PLACES = ["/", "/me/", "/operator/"]


def test_a_look_at_the_link_does_not_use_it_up(client, ines):
    url = one_time.link(ines)
    for _ in range(2):
        assert client.get(url).status_code == 200
    assert client.post(url).url == "/"
    assert client.get("/me/").status_code == 200


def test_the_link_works_once(client, ines):
    url = one_time.link(ines)
    client.post(url)
    client.logout()
    assert client.get(url).status_code == client.post(url).status_code == 410
    assert client.get("/me/").status_code == 302


def test_a_second_link_dies_with_the_first_sign_in(client, ines):
    first, second = one_time.link(ines), one_time.link(ines)
    client.post(first)
    assert client.get(second).status_code == 410


def test_the_link_is_good_for_a_day(client, ines, monkeypatch):
    url, now = one_time.link(ines), signing.time.time()
    monkeypatch.setattr(signing.time, "time", lambda: now + one_time.MAX_AGE_SECONDS - 1)
    assert client.get(url).status_code == 200
    monkeypatch.setattr(signing.time, "time", lambda: now + one_time.MAX_AGE_SECONDS + 2)
    assert client.get(url).status_code == 410


@pytest.mark.parametrize("spoil", [lambda url: url[:-2] + "x/", lambda url: url.replace("one-time/", "one-time/x")])
def test_a_spoilt_link_opens_nothing(client, ines, spoil):
    assert client.post(spoil(one_time.link(ines))).status_code == 410


def test_a_link_of_somebody_who_was_switched_off_opens_nothing(client, ines):
    url = one_time.link(ines)
    ines.is_active = False
    ines.save()
    assert client.post(url).status_code == 410


def test_a_link_made_before_the_last_sign_in_opens_nothing(client, ines):
    url = one_time.link(ines)
    ines.last_login = timezone.now() + timedelta(seconds=1)
    ines.save()
    assert client.post(url).status_code == 410


@pytest.mark.parametrize(("user", "codes"), [(None, (200, 302, 302)), ("alice", (200, 200, 403)), ("ines", (200, 200, 200))])
def test_who_sees_which_page(client, hosts, alice, ines, user, codes):
    if user:
        client.force_login({"alice": alice, "ines": ines}[user])
    assert tuple(client.get(place).status_code for place in PLACES) == codes


@pytest.mark.parametrize("is_open", [True, False])
def test_signing_up_can_be_closed(client, settings, is_open):
    settings.SIGNUP_OPEN = is_open
    assert (b"password1" in client.get("/accounts/signup/").content) is is_open


def test_pages_allow_no_inline_script_and_no_other_host(client, hosts):
    policy = client.get("/").headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe-inline" not in policy
    assert "http" not in policy
