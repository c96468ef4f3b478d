"""What the site makes of its hosts: silence, wishes, inventories, publishing."""

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from labs import agent_client, events, notices, sessions, timers
from labs.hosts import publishing, reconciling, watching, wishes
from labs.models import Bundle, LabSession, WorkerHost
from runtime_agent import fleet, protocol
from runtime_agent.protocol.reasons import REASONS

pytestmark = pytest.mark.django_db
LINE = {"at": 0, "capacity": 6, "used": 0, "images": ["base"], "labels": ["nested", "vm"], "is_open": True}


@pytest.fixture(autouse=True)
def on_commit_now(monkeypatch):
    """Requests to workers are made at once: these tests run inside a transaction that never commits."""
    from django.db import transaction
    monkeypatch.setattr(transaction, "on_commit", lambda work, **_: work())


@pytest.fixture
def session(lesson, alice, asked, told):
    return sessions.start(alice, lesson)


IS_UNDER_WAY = agent_client.is_under_way  # the fixture ``asked`` answers in its place


@pytest.fixture
def ready(session, asked):
    """Alice's session, ready on h1 for a while; what was asked before is forgotten."""
    now = timezone.now() - timedelta(minutes=1)
    LabSession.objects.filter(pk=session.pk).update(state="ready", host="h1", ready_at=now, asked_at=now, started_at=now,
                                                    queued_at=now, expires_at=now + timedelta(hours=1),
                                                    deadline_at=now + timedelta(hours=2))
    session.refresh_from_db()
    asked.clear()
    return session


class Bus(dict):
    """Redis with strings only."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def exists(self, name):
        return name in self

    def llen(self, name):
        return 0

    def set(self, name, value):
        self[name] = value

    def sadd(self, name, *values):
        self.setdefault(name, set()).update(values)

    def pipeline(self):
        return self

    def execute(self):
        return None

    def scan_iter(self, match, count):
        return [name.encode() for name in self if name.startswith(match.rstrip("*"))]

    def delete(self, *names):
        for name in names:
            self.pop(name.decode() if isinstance(name, bytes) else name, None)


def reconcile(inventories, silent=(), after=60):
    reconciling.reconcile(inventories, set(silent), timezone.now() + timedelta(seconds=after))


# --- silence ----------------------------------------------------------------------------------------------


def test_a_silent_host_and_its_return_are_told_to_its_sessions_once(ready, told):
    now = timezone.now()
    watching.note({"h1": LINE}, now)
    told.clear()
    assert watching.note({}, now + timedelta(seconds=14)) == set(), "a Redis that was just emptied makes nobody silent"
    assert watching.note({}, now + timedelta(seconds=16)) == {"h1"}
    watching.note({}, now + timedelta(seconds=20))
    assert [(notice["unreachable"], notice["sentence"]) for _, notice in told] == [
        (True, REASONS["unreachable"].sentence)]
    watching.note({"h1": LINE}, now + timedelta(seconds=30))
    assert [notice["unreachable"] for _, notice in told] == [True, False]


@pytest.mark.parametrize(("heard_seconds", "is_silent", "state"), [(14, False, "queued"), (16, False, "failed"), (1, True, "failed")])
def test_a_start_just_after_redis_was_emptied_waits_for_the_hosts_that_were_heard(
        redis_server, alice, lesson, hosts, asked, heard_seconds, is_silent, state):
    hosts.clear()
    WorkerHost.objects.create(name="h1", line=LINE, is_silent=is_silent, seen_at=timezone.now() - timedelta(seconds=heard_seconds))
    session = sessions.start(alice, lesson)
    assert session.state == state
    assert [task for task, _, _ in asked] == ([protocol.TASK_CREATE] if state == "queued" else [])


def test_a_session_is_resumed_just_after_redis_was_emptied(redis_server, ready, hosts, asked):
    WorkerHost.objects.create(name="h1", line=LINE, is_silent=False, seen_at=timezone.now())
    LabSession.objects.filter(pk=ready.pk).update(state="ended", kept_until=timezone.now() + timedelta(days=1))
    hosts.clear()
    assert sessions.resume(ready.pk).state == "queued"


def test_a_start_while_redis_is_away_is_refused_though_hosts_were_heard(alice, lesson, hosts, asked):
    hosts.clear()
    WorkerHost.objects.create(name="h1", line=LINE, is_silent=False, seen_at=timezone.now())
    assert sessions.start(alice, lesson).reason == "no-worker"


def test_the_page_of_a_session_on_a_silent_host_says_so(ready, as_alice, as_bob, told, client, bob, alice):
    WorkerHost.objects.create(name="h1", is_silent=True)
    client.force_login(alice)
    page = client.get("/learn/c/m/l/").content.decode()
    assert "can&#x27;t be reached" in page or "can't be reached" in page
    assert "comes back here by itself" in page
    client.force_login(bob)
    assert "comes back here by itself" not in client.get("/learn/c/m/l/").content.decode()


# --- reconciling ------------------------------------------------------------------------------------------


def test_what_is_as_it_should_be_is_left_alone(ready, asked):
    reconcile({"h1": {str(ready.pk): (0, "ready")}})
    assert asked == []


@pytest.mark.parametrize(("state", "inventory"), [("ready", {}), ("starting", {}), ("starting", "ready"), ("queued", "ready")])
def test_a_host_is_asked_where_rows_and_inventory_differ(ready, asked, state, inventory):
    LabSession.objects.update(state=state, **({"host": ""} if state == "queued" else {}))
    reconcile({"h1": {str(ready.pk): (0, inventory)} if inventory else {}})
    assert [(task, queue) for task, queue, _ in asked] == [(protocol.TASK_REPORT, "agent.h1")]


def test_nobody_is_asked_before_a_message_could_have_come(ready, asked):
    now = timezone.now()
    LabSession.objects.update(asked_at=now)
    reconcile({"h1": {}}, after=1)
    assert asked == []


@pytest.mark.parametrize(("changes", "host", "generation"), [
    ({"state": "ended"}, "h1", 0), ({"state": "failed"}, "h1", 0), ({"generation": 1, "host": ""}, "h1", 0),
    ({"generation": 1}, "h2", 0), ({}, "h2", 0)])
def test_what_should_not_be_is_deleted_and_nothing_newer(ready, asked, changes, host, generation):
    LabSession.objects.update(**changes)
    reconcile({host: {str(ready.pk): (generation, "ready")}, "h1": {str(ready.pk): (generation, "ready")}}
              if host == "h2" and not changes else {host: {str(ready.pk): (generation, "ready")}})
    deletes = [(queue, arguments) for task, queue, arguments in asked if task == protocol.TASK_DELETE]
    assert deletes == [(f"agent.{host}", {"session_id": str(ready.pk), "keep": False, "newest": generation})]


def test_a_sandbox_of_no_row_goes_and_its_files_stay(asked, db):
    stranger = "99999999-0000-4000-8000-000000000009"
    reconcile({"h1": {stranger: (3, "ready")}})
    assert asked == [(protocol.TASK_DELETE, "agent.h1", {"session_id": stranger, "keep": True, "newest": 3})]


@pytest.mark.parametrize("name", ["not-a-uuid", "", "AAAAAAAA-0000-4000-8000-000000000001"])
def test_an_inventory_with_what_is_no_session_breaks_nothing(ready, asked, name):
    reconcile({"h1": {name: (0, "ready"), str(ready.pk): (0, "ready")}})


def test_a_session_whose_machine_lost_power_ends_with_its_files_kept(ready, asked):
    reconcile({"h1": {str(ready.pk): (0, "exited")}})
    session = LabSession.objects.get()
    assert (session.state, session.reason, session.kept_until is not None) == ("ending", "stopped", True)
    assert [(task, arguments["keep"]) for task, _, arguments in asked] == [(protocol.TASK_DELETE, True)]


def test_a_start_on_a_silent_host_is_begun_anew_in_its_place(ready, asked, monkeypatch):
    LabSession.objects.update(state="starting")
    queued_at = LabSession.objects.get().queued_at
    reconcile({}, silent={"h1"})
    session = LabSession.objects.get()
    assert (session.state, session.generation, session.host, session.queued_at) == ("queued", 1, "", queued_at)
    assert [(task, queue) for task, queue, _ in asked] == [(protocol.TASK_CREATE, "sandboxes")]


def test_a_ready_session_on_a_silent_host_is_never_begun_elsewhere(ready, asked):
    reconcile({}, silent={"h1"}, after=1000)
    assert asked == []
    assert LabSession.objects.get().generation == 0


@pytest.mark.parametrize(("holder", "inventories", "silent", "queue"), [
    (b"h1", {"h1": {}}, (), "agent.h1"), (b"h1", {"h2": {}}, ("h1",), "sandboxes"), (None, {"h1": {}}, (), None)])
def test_a_queued_start_that_a_host_has_claimed_is_asked_for_where_it_is(session, asked, monkeypatch, holder, inventories,
                                                                        silent, queue):
    asked.clear()
    bus = Bus()
    bus[fleet.claim_key(str(session.pk), 0)] = holder
    monkeypatch.setattr(reconciling.agent_client, "connect", lambda: bus)
    reconcile(inventories, silent)
    assert [queue for _, queue, _ in asked] == ([queue] if queue else [])


@pytest.mark.parametrize(("generation", "is_asked_again"), [(0, False), (1, True)])
def test_a_start_that_a_host_has_claimed_is_not_put_into_the_queue_again(session, asked, monkeypatch, generation, is_asked_again):
    """Each time would put off the look that finds its host silent, and other hosts drop it."""
    asked.clear()
    bus = Bus({fleet.claim_key(str(session.pk), generation): b"h1"})
    monkeypatch.setattr(reconciling.agent_client, "connect", lambda: bus)
    monkeypatch.setattr(reconciling.agent_client, "is_under_way", IS_UNDER_WAY)
    timers.watch(timezone.now() + timedelta(seconds=60))
    assert bool(asked) == is_asked_again


def test_a_second_host_with_the_same_run_must_delete_it(ready, asked):
    event = {"event_id": "11111111-1111-4111-8111-111111111111", "session_id": str(ready.pk), "seq": 5, "at": 1.0,
             "kind": "ready", "payload": {"facts": {}, "generation": 0}}
    assert not events.record(host="h2", **event)
    assert asked == [(protocol.TASK_DELETE, "agent.h2", {"session_id": str(ready.pk), "keep": False, "newest": 0})]
    ready.refresh_from_db()
    assert (ready.host, ready.state) == ("h1", "ready")


# --- placement and wishes ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("host", "reason"), [
    ({}, ""), ({"labels": []}, "no-fitting-worker"), ({"images": ["base"]}, "unknown-image"), ({"is_open": False}, "no-fitting-worker")])
def test_a_start_that_no_host_would_take_fails_at_once_with_its_reason(host, reason):
    lab = {"machines": {"box": {"image": "engines", "profile": "nested"}}}
    assert sessions.why_not({"h1": {**LINE, "images": ["base", "engines"], **host}}, lab) == reason


def test_a_wish_grows_a_generation_only_when_it_changes(db):
    WorkerHost.objects.create(name="h1")
    assert wishes.set_wish("h1", "cordoned").generation == 1
    assert wishes.set_wish("h1", "cordoned").generation == 1
    assert wishes.set_wish("h1", "open").generation == 2
    with pytest.raises(WorkerHost.DoesNotExist):
        wishes.set_wish("nobody", "open")


def test_a_drain_shortens_and_its_undoing_gives_the_time_back(ready):
    WorkerHost.objects.create(name="h1")
    host = wishes.set_wish("h1", "draining")
    watching._drain()
    ready.refresh_from_db()
    assert ready.expires_at == ready.deadline_at == host.drain_at
    wishes.set_wish("h1", "open")
    ready.refresh_from_db()
    assert (ready.expires_at, ready.deadline_at) == sessions.planned_end(ready.lab["limits"], ready.ready_at)


def test_the_bus_says_each_hosts_wish(db):
    WorkerHost.objects.create(name="h1", wish="draining", generation=4)
    bus = Bus()
    wishes.tell(bus)
    assert json.loads(bus[fleet.wish_key("h1")]) == {"generation": 4, "is_open": False}


def test_a_wish_can_be_made_on_the_page_by_the_staff(client, ines):
    WorkerHost.objects.create(name="h1", line=LINE, is_silent=False)
    client.force_login(ines)
    assert client.post("/operator/hosts/h1/wish/", {"wish": "draining"}).status_code == 302
    assert WorkerHost.objects.get().wish == "draining"
    assert client.post("/operator/hosts/h1/wish/", {"wish": "exploding"}).status_code == 400
    assert client.post("/operator/hosts/h9/wish/", {"wish": "open"}).status_code == 404
    assert client.get("/operator/hosts/h1/wish/").status_code == 405


# --- publishing -------------------------------------------------------------------------------------------


@pytest.fixture
def published(settings, tmp_path, lesson):
    """A lesson whose lab lies in the published folder."""
    settings.PUBLISHED_DIR = tmp_path
    files = {"lab.json": json.dumps({"machines": {"box": {"image": "engines", "profile": "nested"}}}).encode(),
             "checks/a.sh": b"exit 0\n"}
    lesson.lab_digest = fleet.digest_of(files)
    lesson.save()
    for name, body in files.items():
        (tmp_path / lesson.lab_digest / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / lesson.lab_digest / name).write_bytes(body)
    return lesson


def test_the_catalogue_names_the_labs_and_its_serial_grows_with_changes_only(published):
    first = publishing.publish()
    assert publishing.publish() == first
    bus = Bus()
    assert publishing.push(bus)
    message = json.loads(json.loads(bus[fleet.CATALOG_KEY])["message"])
    assert message["labs"] == [published.lab_digest]
    assert fleet.unpack(bus[fleet.bundle_key(published.lab_digest)], published.lab_digest)["checks/a.sh"] == b"exit 0\n"
    assert "base/packages" in fleet.unpack(bus[fleet.bundle_key(message["recipes"])], message["recipes"])
    assert fleet.queue_of({"nested", "image-engines"}) in bus[fleet.QUEUES_KEY]
    assert not publishing.push(bus), "the bus says it already"
    bus.clear()
    assert publishing.push(bus), "a Redis that forgot is told again"
    published.lab_digest = ""
    published.save()
    assert publishing.publish() > first


def test_a_lab_that_was_replaced_is_published_while_a_session_uses_it(published, alice, asked):
    session = sessions.start(alice, published)
    publishing.publish()
    old = published.lab_digest
    published.lab_digest = ""
    published.save()
    publishing.publish()
    assert Bundle.objects.filter(pk=old).exists()
    LabSession.objects.filter(pk=session.pk).update(state="ended")
    publishing.publish()
    assert not Bundle.objects.filter(pk=old).exists()


def test_what_is_no_heartbeat_hides_no_other_host(redis_server):
    with wishes.bus.connect() as bus:
        bus.delete(protocol.HOSTS_KEY)
        now, _ = bus.time()
        for name, line in {"a": b"\xff", "b": b"[]", "c": b"{}", "d": b'{"at": "x"}', "e": b"[" * 100_000,
                           "f": json.dumps({**LINE, "at": now}).encode()}.items():
            bus.hset(protocol.HOSTS_KEY, name, line)
        assert set(agent_client.read_living(bus)) == {"f"}
        bus.delete(protocol.HOSTS_KEY)


def test_a_host_that_was_removed_has_no_heartbeat_that_keeps_its_name(redis_server):
    host = WorkerHost.objects.create(name="gone")
    with wishes.bus.connect() as bus:
        now, _ = bus.time()
        bus.hset(protocol.HOSTS_KEY, host.name, json.dumps({**LINE, "at": now}))
        wishes.remove(host.name)
        assert not bus.hexists(protocol.HOSTS_KEY, "gone")


def test_is_unreachable_asks_only_for_what_has_a_host(session):
    assert not notices.is_unreachable(session)
