"""Three worker hosts and a site, each in a network of its own: joining, placement, cuts, power cuts, replacement.

What is proved each time: no session is lost without a word, and none lives twice.
"""

from __future__ import annotations

import base64
import json
import sys
import time
from pathlib import Path

import pytest
import redis

from runtime_agent import fleet as words
from runtime_agent import protocol
from runtime_agent.protocol.reasons import REASONS
from tests.instance import wait_until

pytestmark = pytest.mark.sandbox


def test_sandboxes_spread_over_the_hosts_and_each_lives_once(fleet, somebody):
    started = [fleet.start(f"{somebody}-{number}") for number in range(9)]
    rows = [fleet.wait_state(session_id, "ready") for session_id in started]
    assert [fleet.places_of(session_id) for session_id in started] == [[row["host"]] for row in rows]
    assert len({row["host"] for row in rows}) > 1, "nine sandboxes do not fit on two hosts of four places"


def test_labs_came_signed_and_no_disk_is_shared(fleet):
    for host in fleet.hosts.values():
        assert not (host.state / "content").exists()
        catalog = json.loads((host.settings.site_dir / "catalog.json").read_text())
        assert {path.name for path in host.settings.content_dir.iterdir()} == set(catalog["labs"])
    assert (host.settings.site_dir / "key.pem").stat().st_mode & 0o777 == 0o600


def test_no_secret_of_the_bus_is_in_an_environment(fleet):
    host = fleet.hosts["one"]
    environment = Path(f"/proc/{host.children['control'].pid}/environ").read_bytes()
    assert b"rediss://" not in environment
    assert fleet.site.password.encode() not in environment


def test_a_host_may_do_its_own_work_on_the_bus_and_no_others(fleet):
    allowed = ["LLEN agent.one", "BRPOP sandboxes agent.one 1", f"GET {words.CATALOG_KEY}", "LPUSH web x", "TIME",
               f"GET {words.wish_key('one')}", "PSUBSCRIBE term:*:in", "SUBSCRIBE tunnel:host:one"]
    refused = [f"GET {words.wish_key('two')}", "LLEN agent.two", "BRPOP web 1", "FLUSHALL", "ACL LIST", "CONFIG GET *",
               f"SET {words.CATALOG_KEY} x", f"SET {words.wish_key('one')} x", "KEYS *", "SUBSCRIBE tunnel:host:two",
               "PSUBSCRIBE *", "SHUTDOWN", "LPUSH agent.two x"]
    with fleet.site.bus() as bus:
        answers = {line: bus.execute_command("ACL", "DRYRUN", "host-one", *line.split()) for line in (*allowed, *refused)}
    assert {line for line, answer in answers.items() if answer in (b"OK", "OK")} == set(allowed)


def test_a_certificate_without_a_password_is_nobody_and_none_at_all_is_no_connection(fleet):
    host = fleet.hosts["two"]
    bare = ("import redis, sys\n"
            "a = dict(host=sys.argv[1], port=6380, ssl=True, ssl_ca_certs=sys.argv[2], socket_timeout=5)\n"
            "b = dict(a, ssl_certfile=sys.argv[3], ssl_keyfile=sys.argv[4])\n"
            "for words in (a, b):\n"
            "    try: redis.Redis(**words).ping(); print('OK')\n"
            "    except redis.RedisError as error: print(type(error).__name__)\n")
    files = [str(host.settings.site_dir / name) for name in ("ca.pem", "cert.pem", "key.pem")]
    done = host.run_here(sys.executable, "-c", bare, fleet.site.at, *files)
    assert done.stdout.split() == ["ConnectionError", "AuthenticationError"], done.stdout + done.stderr


def test_what_does_not_fit_is_told_where_the_operator_stands(fleet):
    host = fleet.hosts["two"]
    assert "has joined a site already" in host.join(fleet.site.url, fleet.site.token()).stderr
    token = fleet.site.token()
    elsewhere = host.run_here(sys.executable, "-c", (
        "import sys, os; from runtime_agent import joining, settings; from dataclasses import replace; from pathlib import Path\n"
        "s = replace(settings.load(os.environ), is_joined=False, state_dir=Path(sys.argv[1]))\n"
        "for url, token in ((sys.argv[2], 'bhw1_wrong'), ('http://10.255.255.1:1', sys.argv[3]), (sys.argv[2], 'bhw1_' + 43 * 'A')):\n"
        "    try: joining.TIMEOUT_SECONDS = 2; print(joining.join(s, url, token, 'nine'))\n"
        "    except joining.JoinError as error: print('REFUSED', error)\n"
        "print(list(Path(sys.argv[1]).rglob('site.json')))\n"), str(host.root / "elsewhere"), fleet.site.url, token)
    lines = elsewhere.stdout.splitlines()
    assert len([line for line in lines if line.startswith("REFUSED")]) == 3, elsewhere.stdout + elsewhere.stderr
    assert "this is no token" in lines[0]
    assert "can this machine reach it?" in lines[1]
    assert "knows no such token" in lines[2]
    assert lines[3] == "[]"


def test_a_cordoned_host_takes_nothing_new_and_opens_again(fleet, somebody):
    for name in ("one", "two"):
        fleet.site.call("wish", name, "cordoned")
    fleet.wait_wish("one", "two")
    started = [fleet.start(f"{somebody}-{number}") for number in range(4)]
    assert {fleet.wait_state(session_id, "ready")["host"] for session_id in started} == {"three"}
    waiting = fleet.start(f"{somebody}-5")
    fleet.site.call("wish", "two", "open")
    assert fleet.wait_state(waiting, "ready")["host"] == "two"


def test_a_drained_host_gives_its_sessions_an_end_and_undoing_gives_the_time_back(fleet, somebody):
    session_id = fleet.start(somebody)
    host = fleet.wait_state(session_id, "ready")["host"]
    before = fleet.site.call("notice", session_id)["expires_at"]
    fleet.site.call("wish", host, "draining")
    wait_until(lambda: fleet.site.call("notice", session_id)["expires_at"] < before, 20, "an earlier end")
    fleet.site.call("wish", host, "open")
    wait_until(lambda: fleet.site.call("notice", session_id)["expires_at"] >= before, 20, "the time to come back")
    assert fleet.places_of(session_id) == [host]


def test_a_session_on_a_host_that_is_cut_off_goes_on_and_comes_back(fleet, somebody):
    session_id = fleet.start(somebody)
    host = fleet.wait_state(session_id, "ready")["host"]
    pid = fleet.hosts[host].living()[session_id]
    fleet.network.cut(host)
    fleet.wait_for_hosts(host, silent=True)
    told = fleet.site.call("notice", session_id)
    assert (told["state"], told["unreachable"], told["sentence"]) == ("ready", True, REASONS["unreachable"].sentence)
    other = fleet.start(f"{somebody}-other")
    assert fleet.wait_state(other, "ready")["host"] != host, "the others carry on"
    fleet.network.mend(host)
    fleet.wait_for_hosts(host)
    assert not fleet.site.call("notice", session_id)["unreachable"]
    assert fleet.hosts[host].living()[session_id] == pid, "the very same sandbox"
    assert fleet.wait_state(session_id, "ready")["generation"] == 0
    assert fleet.places_of(session_id) == [host]


def test_who_starts_over_while_their_host_is_cut_off_has_one_sandbox_in_the_end(fleet, somebody):
    session_id = fleet.start(somebody)
    host = fleet.wait_state(session_id, "ready")["host"]
    fleet.network.cut(host)
    fleet.wait_for_hosts(host, silent=True)
    fleet.site.call("restart", session_id)
    row = fleet.wait_state(session_id, "ready", generation=1)
    assert row["host"] != host
    fleet.network.mend(host)
    wait_until(lambda: fleet.places_of(session_id) == [row["host"]], 60, "the leftover to be reaped")
    assert fleet.wait_state(session_id, "ready")["generation"] == 1


def test_a_leftover_is_reaped_even_if_redis_forgot_that_it_should_be(fleet, somebody):
    session_id = fleet.start(somebody)
    host = fleet.wait_state(session_id, "ready")["host"]
    fleet.network.cut(host)
    fleet.wait_for_hosts(host, silent=True)
    fleet.site.call("end", session_id, False)
    with fleet.site.bus() as bus:
        bus.flushall()
    fleet.network.mend(host)
    wait_until(lambda: not fleet.places_of(session_id), 60, "the leftover to be reaped")
    fleet.wait_state(session_id, "ended", "failed")


def test_a_start_that_its_host_took_into_silence_is_begun_elsewhere_once(fleet, somebody):
    """The host has the create and is cut off before it can say so; the site never hears of a sandbox there."""
    for name in ("two", "three"):
        fleet.site.call("wish", name, "cordoned")
    fleet.wait_wish("two", "three")
    with fleet.held("one"), fleet.site.bus() as bus:
        session_id = fleet.start(somebody)
        wait_until(lambda: bus.llen(words.queue_of([])) == 0, 20, "the create to be taken")
        bus.set(words.claim_key(session_id, 0), "one")  # the last word of the host before the cut
        fleet.network.cut("one")
    for name in ("two", "three"):
        fleet.site.call("wish", name, "open")
    row = fleet.wait_state(session_id, "ready", seconds=90)
    assert row["host"] in ("two", "three")
    fleet.network.mend("one")
    fleet.wait_for_hosts("one")
    wait_until(lambda: fleet.places_of(session_id) == [row["host"]], 60, "one sandbox")
    assert fleet.wait_state(session_id, "ready")["host"] == row["host"]


@pytest.mark.parametrize("what", ["create", "delete"])
def test_a_lost_message_is_made_up_for_within_ten_seconds(fleet, somebody, what):
    if what == "create":
        for host in fleet.hosts.values():
            host.kill("control")  # nobody takes the message; for a while the hosts still count as living
        session_id = fleet.start(somebody)
        with fleet.site.bus() as bus:
            assert bus.delete(words.queue_of([])) == 1
        for host in fleet.hosts.values():
            host.start("control")
        began = time.monotonic()
        fleet.wait_state(session_id, "ready", seconds=40)
    else:
        session_id = fleet.start(somebody)
        host = fleet.wait_state(session_id, "ready")["host"]
        fleet.hosts[host].kill("control")
        fleet.site.call("end", session_id, False)
        with fleet.site.bus() as bus:
            wait_until(lambda: bus.delete(protocol.agent_queue(host)), 20, "the message to lose")
        began = time.monotonic()
        fleet.hosts[host].start("control")
        wait_until(lambda: not fleet.places_of(session_id), 40, "the sandbox to go")
    fleet.note(f"lost {what}", time.monotonic() - began)


def test_events_lost_with_redis_are_asked_for_again(fleet, somebody):
    """The host made the sandbox; the news of it is gone."""
    fleet.site.kill("worker")
    try:
        session_id = fleet.start(somebody)
        with fleet.site.bus() as bus:
            wait_until(lambda: "ready" in _kinds(bus.lrange(protocol.QUEUE_WEB, 0, -1)), 40, "its last event")
            bus.delete(protocol.QUEUE_WEB)
        assert fleet.places_of(session_id)
    finally:
        fleet.site.start("worker")
    fleet.wait_state(session_id, "ready", seconds=40)
    assert len(fleet.places_of(session_id)) == 1


def _kinds(messages: list[bytes]) -> list[str]:
    """What the events in a queue report; timers have none."""
    bodies = [json.loads(base64.b64decode(json.loads(message)["body"])) for message in messages]
    return [named.get("kind", "") for _, named, _ in bodies]


def test_a_redis_that_forgot_everything_is_told_again(fleet, somebody):
    session_id = fleet.start(somebody)
    row = fleet.wait_state(session_id, "ready")
    with fleet.site.bus() as bus:
        bus.flushall()
    again = fleet.start(f"{somebody}-after")  # before any heartbeat: the rows say that there are hosts
    fleet.wait_state(again, "ready", seconds=40)
    wait_until(lambda: _has_catalog(fleet), 30, "the catalogue to be back")
    assert fleet.wait_state(session_id, "ready")["host"] == row["host"]
    assert fleet.places_of(session_id) == [row["host"]]


def _has_catalog(fleet) -> bool:
    try:
        with fleet.site.bus() as bus:
            return bool(bus.exists(words.CATALOG_KEY))
    except redis.RedisError:
        return False


def test_a_host_that_lost_its_power_comes_back_and_says_what_is_gone(fleet, somebody):
    session_id = fleet.start(somebody)
    host = fleet.wait_state(session_id, "ready")["host"]
    fleet.hosts[host].power_off()
    fleet.wait_for_hosts(host, silent=True)
    assert fleet.site.call("notice", session_id)["unreachable"]
    fleet.network.mend(host)
    fleet.hosts[host].start("control")
    row = fleet.wait_state(session_id, "ended", seconds=90)
    assert row["reason"] == "stopped"
    assert row["kept_until"], "the files are on its disk"
    assert not fleet.places_of(session_id)
    fleet.site.call("resume", session_id)
    fleet.wait_state(session_id, "ready", generation=1, host=host)
    assert fleet.places_of(session_id) == [host]


def test_a_host_that_is_removed_is_shut_out_and_another_can_take_its_name(fleet, somebody):
    for name in ("one", "two"):
        fleet.site.call("wish", name, "cordoned")
    fleet.wait_wish("one", "two")
    session_id = fleet.start(somebody)
    fleet.wait_state(session_id, "ready", host="three")
    fleet.network.cut("three")
    fleet.wait_for_hosts("three", silent=True)
    host = fleet.hosts["three"]
    fleet.site.call("remove", "three")
    assert fleet.wait_state(session_id, "failed")["reason"] == "host-removed"
    fleet.network.mend("three")
    wait_until(lambda: "AuthenticationError" in _ping(host) or "NoPermission" in _ping(host), 20, "the old key to be of no use")
    host.kill("control")
    assert host.agent("join", "leave", "--force").returncode == 0
    done = host.join(fleet.site.url, fleet.site.token())
    assert done.returncode == 0, done.stderr
    host.start("control")
    fleet.wait_for_hosts("three")
    wait_until(lambda: not fleet.places_of(session_id), 60, "what the old one had left to be reaped")


def _ping(host) -> str:
    return host.run_here(sys.executable, "-c", (
        "import redis, os; from runtime_agent import settings\n"
        "try: redis.Redis.from_url(settings.load(os.environ).redis_url, socket_timeout=5).llen('sandboxes')\n"
        "except redis.RedisError as error: print(type(error).__name__)")).stdout
