"""Tokens and joining: who may become a worker host, and what every other request is told."""

import hashlib
import json
import threading
import time
from datetime import timedelta

import pytest
import redis
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.utils import timezone

from labs.hosts import bus, joining, site_key
from labs.models import JoinToken, LabSession, WorkerHost
from runtime_agent import fleet, protocol
from runtime_agent import joining as joining_of_a_host

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def let_in(monkeypatch, settings):
    """The hosts that got a Redis user, by name."""
    settings.WORKERS_AT = "10.0.0.1:6380"
    names = []
    monkeypatch.setattr(bus, "let_in", lambda host: names.append(host.name))
    monkeypatch.setattr(bus, "shut_out", lambda name: names.remove(name))
    return names


def public(key):
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()


def request(token, kind="join", signer=None, **changes):
    """The body that a machine with this token would send."""
    signer = signer or Ed25519PrivateKey.from_private_bytes(fleet.token_seed(fleet.read_token(token)[0]))
    text = json.dumps({"version": fleet.VERSION, "protocol": protocol.VERSION, "at": time.time(), "name": "w1",
                       "key": "ab" * 32, "password_sha256": "cd" * 32, **changes})
    return json.dumps({"message": text, "signer": public(signer),
                       "signature": signer.sign(fleet.signed_bytes(kind, text)).hex()}).encode()


def post(client, body, kind="join"):
    response = client.post(f"/workers/{kind}/", body, content_type="application/json")
    return response.status_code, response.json()


def test_a_token_lets_one_host_in_and_its_answer_is_the_sites(client, let_in):
    token = joining.make_token()
    key = Ed25519PrivateKey.generate()
    status, answer = post(client, request(token, key=public(key)))
    assert (status, let_in) == (200, ["w1"])
    site = bytes.fromhex(answer["signer"])
    assert fleet.fingerprint(site) == fleet.read_token(token)[1]
    Ed25519PublicKey.from_public_bytes(site).verify(bytes.fromhex(answer["signature"]),
                                                    fleet.signed_bytes("joined", answer["message"]))
    message = json.loads(answer["message"])
    certificate = x509.load_pem_x509_certificate(message["certificate"].encode())
    authority = x509.load_pem_x509_certificate(message["authority"].encode())
    certificate.verify_directly_issued_by(authority)
    assert message["bus"] == "10.0.0.1:6380"
    assert public(key) == certificate.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()
    row = JoinToken.objects.get()
    assert (row.used_by, row.used_at is not None) == ("w1", True)


def test_the_database_can_not_bring_a_token_back(client):
    token = joining.make_token()
    secret, _ = fleet.read_token(token)
    assert secret.hex() not in JoinToken.objects.get().public_key
    assert hashlib.sha256(secret).hexdigest() not in JoinToken.objects.get().public_key


def test_a_token_is_good_once(client):
    token = joining.make_token()
    assert post(client, request(token))[0] == 200
    assert post(client, request(token, name="w2")) == (403, {"reason": "token-used", "detail": "by w1"})
    assert WorkerHost.objects.count() == 1


@pytest.mark.parametrize(("seconds", "reason"), [(1, None), (-1, "token-expired")])
def test_a_token_is_good_until_it_expires(client, seconds, reason):
    token = joining.make_token()
    JoinToken.objects.update(expires_at=timezone.now() + timedelta(seconds=seconds + (5 if seconds > 0 else 0)))
    status, answer = post(client, request(token))
    assert answer.get("reason") == reason


def test_a_revoked_token_lets_nobody_in(client):
    token = joining.make_token()
    assert joining.revoke_token(JoinToken.objects.get().pk)
    assert post(client, request(token))[1]["reason"] == "token-revoked"
    assert not joining.revoke_token(JoinToken.objects.get().pk), "there is nothing left to revoke"


def test_a_made_up_token_lets_nobody_in(client):
    joining.make_token()
    assert post(client, request(fleet.write_token(b"x" * 16, b"y" * 16)))[1]["reason"] == "token-unknown"


@pytest.mark.parametrize(("changes", "reason"), [
    ({"at": 0}, "wrong-clock"), ({"at": "now"}, "bad-message"), ({"version": 99}, "wrong-version"),
    ({"protocol": 0}, "wrong-version"), ({"name": "Big Name"}, "bad-message"), ({"name": "x" * 33}, "bad-message"), ({"name": ["one"]}, "bad-message"),
    ({"key": "short"}, "bad-message"), ({"password_sha256": None}, "bad-message")])
def test_what_is_wrong_is_named_and_leaves_the_token_good(client, changes, reason):
    token = joining.make_token()
    assert post(client, request(token, **changes))[1]["reason"] == reason
    assert post(client, request(token))[0] == 200


@pytest.mark.parametrize(("skew", "status"), [(55, 200), (-55, 200), (70, 409), (-70, 409)])
def test_a_clock_may_be_a_minute_off(client, skew, status):
    found, answer = post(client, request(joining.make_token(), at=time.time() + skew))
    assert found == status
    if status == 409:
        assert ("ahead" in answer["detail"]) is (skew > 0)


def test_a_name_is_taken_until_its_host_is_removed(client, let_in):
    assert post(client, request(joining.make_token()))[0] == 200
    token = joining.make_token()
    assert post(client, request(token))[1]["reason"] == "name-taken"
    assert post(client, request(token, name="w2"))[0] == 200
    assert let_in == ["w1", "w2"]


def test_a_site_that_is_not_open_says_how_to_open_it(client, settings):
    settings.WORKERS_AT = ""
    answer = post(client, request(joining.make_token()))[1]
    assert answer["reason"] == "not-open"
    assert "BULKHEAD_WORKERS_AT" in fleet.REFUSALS["not-open"].sentence


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"\xff", b'{"message": "{}", "signer": "00", "signature": "00"}',
                                  b"[" * 5000])
def test_what_is_no_request_is_refused(client, body):
    assert post(client, body) == (400, {"reason": "bad-message", "detail": post(client, body)[1]["detail"]})


@pytest.mark.parametrize(("more", "status"), [(-1, 200), (0, 200), (1, 400)])
def test_a_request_has_a_size(client, let_in, more, status):
    """JSON may end with spaces: but for its size it is a good one."""
    body = request(joining.make_token())
    assert post(client, body.ljust(fleet.MAX_JOIN_BYTES + more))[0] == status


def test_a_signature_of_something_else_is_none(client):
    token = joining.make_token()
    assert post(client, request(token, kind="leave"))[1]["reason"] == "bad-message"


def test_a_redis_that_is_away_leaves_token_and_table_as_they_were(client, monkeypatch):
    import redis

    def away(host):
        raise redis.ConnectionError
    monkeypatch.setattr(bus, "let_in", away)
    token = joining.make_token()
    assert post(client, request(token))[1]["reason"] == "no-bus"
    assert not WorkerHost.objects.exists()
    assert JoinToken.objects.get().used_at is None


def test_only_the_host_itself_can_leave(client, monkeypatch, let_in, lesson, alice):
    from labs.hosts import wishes
    monkeypatch.setattr(wishes.bus, "connect", NoBus)
    key = Ed25519PrivateKey.generate()
    post(client, request(joining.make_token(), key=public(key)))
    session = LabSession.objects.create(user=alice, lesson=lesson, lab=lesson.lab, lab_digest="d" * 64, host="w1",
                                        state="ready", queued_at=timezone.now(), asked_at=timezone.now())
    assert post(client, request("", "leave", Ed25519PrivateKey.generate()), "leave")[1]["reason"] == "token-unknown"
    assert post(client, request("", "leave", key, at=0), "leave")[1]["reason"] == "wrong-clock"
    assert post(client, request("", "leave", key), "leave") == (200, {"left": "w1"})
    assert let_in == [] and not WorkerHost.objects.exists()
    session.refresh_from_db()
    assert (session.state, session.reason) == ("failed", "host-removed")


class NoBus:
    """A bus that takes everything."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def hdel(self, *_):
        return 1

    def delete(self, *_):
        return 1


def test_the_sites_key_is_the_secret_keys_and_nothing_elses(settings):
    first = site_key.public_bytes()
    assert site_key.public_bytes() == first
    signed = site_key.sign("catalog", "text")
    settings.SECRET_KEY = "another-" * 8
    assert site_key.public_bytes() != first
    with pytest.raises(InvalidSignature):
        site_key.key().public_key().verify(bytes.fromhex(signed["signature"]), fleet.signed_bytes("catalog", "text"))


def test_pages_of_tokens_are_the_staffs(client, alice, ines):
    assert client.post("/operator/join-tokens/").status_code == 302, "Charlie signs in first"
    client.force_login(alice)
    assert client.post("/operator/join-tokens/").status_code == 403
    assert client.post("/operator/hosts/w1/wish/", {"wish": "draining"}).status_code == 403
    assert not JoinToken.objects.exists()
    client.force_login(ines)
    page = client.post("/operator/join-tokens/")
    assert "bhw1_" in page.content.decode()
    assert "no-store" in page["Cache-Control"]
    assert "bhw1_" not in client.get("/operator/").content.decode(), "it is shown once"
    client.post(f"/operator/join-tokens/{JoinToken.objects.get().pk}/revocation/")
    assert JoinToken.objects.get().revoked_at


def test_a_user_that_the_site_takes_for_a_strangers_for_a_moment_is_waited_for(redis_server, tmp_path):
    """The site's look at its users may come between user and row."""
    (tmp_path / "bus-url").write_text(redis_server.url.replace("unix://", "unix://host-late:secret@") + "\n")
    with redis.Redis.from_url(redis_server.url) as bus:
        def let_it_in():
            bus.execute_command("ACL", "SETUSER", "host-late", "reset", "on", ">secret", *fleet.bus_rules("late"))
        later = threading.Timer(0.3, let_it_in)
        later.start()
        try:
            joining_of_a_host._try_bus(tmp_path)
        finally:
            later.join()
            bus.execute_command("ACL", "DELUSER", "host-late")
