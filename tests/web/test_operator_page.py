"""The operator's page: what the hosts' heartbeats say, for staff only."""

import pytest

from labs import agent_client

pytestmark = pytest.mark.django_db


def image(**changes):
    return {"name": "engines", "state": "ready", "percent": 100, "message": "", "bytes": 500 << 20, "version": "ab12"} | changes


@pytest.fixture
def page(client, ines, monkeypatch):
    """``page({...})`` is the page with one host that has this image."""
    def read(state):
        host = {"at": 0, "capacity": 6, "used": 0, "cgroup": 2, "runtime": "crun", "kernel": "6.1", "images": [],
                "image_states": [state]}
        monkeypatch.setattr(agent_client, "living_hosts", lambda: {"h1": host})
        client.force_login(ines)
        return client.get("/operator/").content.decode()
    return read


def test_a_build_shows_its_bar_with_a_number(page):
    html = page(image(state="building", percent=42, message="Unpacking podman"))
    assert '<progress max="100" value="42"' in html
    assert "Unpacking podman" in html


def test_a_failed_build_says_why_and_how_to_try_again(page):
    html = page(image(state="failed", bytes=0, message="the <last> words"))
    assert "the &lt;last&gt; words" in html
    assert "sudo ./lab image build engines" in html


def test_a_ready_image_shows_its_size_and_version(page):
    html = page(image())
    assert "500\xa0MiB" in html
    assert "ab12" in html
    assert "image build" not in html


def test_a_host_of_before_images_were_told_is_shown(client, ines, monkeypatch):
    host = {"at": 0, "capacity": 6, "used": 0, "cgroup": 2, "runtime": "crun", "kernel": "6.1", "images": ["base"]}
    monkeypatch.setattr(agent_client, "living_hosts", lambda: {"h1": host})
    client.force_login(ines)
    assert client.get("/operator/").status_code == 200


def test_students_do_not_see_it(client, alice):
    client.force_login(alice)
    assert client.get("/operator/").status_code == 403
