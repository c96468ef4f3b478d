"""What the site and its worker hosts say to each other about hosts: joining, published bundles, placement, wishes.

The third module that both sides import, beside ``protocol`` and ``facts``: names, forms and pure functions over the
standard library. Keys and signatures are made elsewhere; here stands only which bytes are signed.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from runtime_agent import protocol

VERSION = 1
"""Of this module's forms. A host of another version is refused when it joins, and a catalogue of another is not read."""
HOST_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?")
DIGEST = re.compile(r"[0-9a-f]{64}")
MAX_CLOCK_SKEW_SECONDS = 60
MAX_JOIN_BYTES = 16 * 1024

# --- Names on the bus -------------------------------------------------------------------------------------

CATALOG_KEY = "bulkhead:catalog"
"""{"message": text, "signature": hex} with text = {"version", "serial", "at", "labs": [digests], "recipes": digest}."""
QUEUES_KEY = "bulkhead:queues"
"""A set: every queue on which creates may wait. A host takes from those whose needs it meets."""
INVENTORY_KEY = "bulkhead:inventory"
"""A hash: host -> {"at": seconds, "sessions": {session id: [generation, state]}}, what lives there now."""
CLAIM_SECONDS = 24 * 3600


def bundle_key(digest: str) -> str:
    return f"bulkhead:bundle:{digest}"


def wish_key(host: str) -> str:
    """{"generation": int, "is_open": bool}: whether the host may take new sandboxes, as the site wants it."""
    return f"bulkhead:wish:{host}"


def claim_key(session_id: str, generation: int) -> str:
    """Holds the name of the one host that may start this run; set once (NX), by the host, before it does anything."""
    return f"bulkhead:claim:{session_id}:{generation}"


def bus_user(host: str) -> str:
    """The Redis user of one joined host."""
    return f"host-{host}"


def bus_rules(host: str) -> list[str]:
    """What that user may do (Redis ACL, https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/).

    Its own queue, the queues of waiting creates, its own line in the tables; into ``web`` it may only write. Terminals
    and facts are one name space for all hosts: see SECURITY.md, "Between hosts".
    """
    own = protocol.agent_queue(host)
    return ["resetkeys", "resetchannels", "-@all", "+@read", "+@write", "+@pubsub", "+@connection", "+@transaction",
            "+@blocking", "+@scripting", "-@dangerous", "-@admin", "+client|setname", "+time",
            f"~{protocol.QUEUE_SANDBOXES}*", f"~{own}", f"~{own}.unacked*", f"%W~{protocol.QUEUE_WEB}",
            "~_kombu.binding*", f"~{protocol.HOSTS_KEY}", f"~{INVENTORY_KEY}", "~bulkhead:claim:*",
            f"%R~{protocol.OPENED_KEY}", f"%R~{CATALOG_KEY}", "%R~bulkhead:bundle:*", f"%R~{QUEUES_KEY}",
            f"%R~{wish_key(host)}", "&term:*", f"&{protocol.INPUT_PATTERN}", "&facts:*", f"&{protocol.FACTS_WISH_PATTERN}",
            f"&{protocol.tunnel_channel(host)}", "&tunnel:site:*", f"&{protocol.TUNNEL_HELLO_CHANNEL}"]


# --- Joining ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Refusal:
    """Why a host can't join: HTTP status, and what its operator reads."""

    status: int
    sentence: str


REFUSALS: dict[str, Refusal] = {
    "token-unknown": Refusal(403, "The site knows no such token. Copy it whole from the operator page, or make a new one."),
    "token-used": Refusal(403, "This token has been used already: each is good for one host. Make a new one."),
    "token-expired": Refusal(403, "This token has expired. Make a new one on the operator page."),
    "token-revoked": Refusal(403, "This token has been revoked. Make a new one on the operator page."),
    "wrong-clock": Refusal(409, "This machine's clock and the site's differ by more than a minute. Set the clock "
                                "(timedatectl set-ntp true) and join again; the token is still good."),
    "wrong-version": Refusal(409, "The site runs another version of Bulkhead. Bring this machine to the same one and join "
                                  "again; the token is still good."),
    "name-taken": Refusal(409, "A host of this name has joined already. Remove that one on the operator page, or join "
                               "with --name; the token is still good."),
    "not-open": Refusal(409, "The site takes no worker hosts yet: start it with BULKHEAD_WORKERS_AT=ADDRESS:6380, an "
                             "address that this machine can reach. The token is still good."),
    "no-bus": Refusal(503, "The site's Redis does not answer, so nothing was changed. Try again; the token is still good."),
    "bad-message": Refusal(400, "The site did not understand the request."),
}


def signed_bytes(kind: str, text: str) -> bytes:
    """What is signed: the kind keeps a signature of one thing from passing for that of another."""
    return f"bulkhead {VERSION} {kind}\n{text}".encode()


def fingerprint(site_key: bytes) -> bytes:
    """The 16 bytes by which a token names the site's public key."""
    return hashlib.sha256(b"bulkhead site " + site_key).digest()[:16]


def token_seed(secret: bytes) -> bytes:
    """The seed of the Ed25519 key that a token's 16 secret bytes stand for: the site keeps only the public half."""
    return hashlib.sha256(b"bulkhead join token " + secret).digest()


def write_token(secret: bytes, site_fingerprint: bytes) -> str:
    return "bhw1_" + base64.urlsafe_b64encode(secret + site_fingerprint).decode().rstrip("=")


def read_token(text: str) -> tuple[bytes, bytes]:
    """(secret, the site's fingerprint). Raises ValueError for what no token can be."""
    head, _, body = text.strip().partition("_")
    if head != "bhw1" or not re.fullmatch(r"[A-Za-z0-9_-]{43}", body):
        raise ValueError("a token begins with bhw1_ and has 43 characters behind it")
    both = base64.urlsafe_b64decode(body + "=")
    return both[:16], both[16:]


# --- Bundles ----------------------------------------------------------------------------------------------

MAX_PACKED_BYTES, MAX_UNPACKED_BYTES, MAX_FILES = 8 << 20, 24 << 20, 512
_PATH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(?:/[A-Za-z0-9_][A-Za-z0-9_.-]*){0,5}")


def digest_of(files: Mapping[str, bytes]) -> str:
    """A bundle's name: sha256 over the sorted lines "<relative path>\\0<sha256 of the file>\\n"."""
    lines = sorted(f"{path}\0{hashlib.sha256(body).hexdigest()}\n" for path, body in files.items())
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def pack(files: Mapping[str, bytes]) -> bytes:
    """Files as they travel: JSON of path -> base64, compressed. No tar: it could name links, devices and ``..``."""
    return zlib.compress(json.dumps({path: base64.b64encode(files[path]).decode() for path in sorted(files)}).encode(), 9)


def unpack(body: bytes, digest: str) -> dict[str, bytes]:
    """The files of a packed bundle. Raises ProtocolError "bad-bundle" unless they are just those that ``digest`` names."""
    try:
        if len(body) > MAX_PACKED_BYTES:
            raise ValueError(f"{len(body)} bytes")
        expander = zlib.decompressobj()
        text = expander.decompress(body, MAX_UNPACKED_BYTES)
        if expander.unconsumed_tail:
            raise ValueError("too large")
        files = {path: base64.b64decode(data, validate=True) for path, data in json.loads(text).items()}
    except (ValueError, TypeError, AttributeError, zlib.error) as error:
        raise protocol.ProtocolError("bad-bundle", str(error)) from None
    if len(files) > MAX_FILES or any(not _PATH.fullmatch(path) for path in files):
        raise protocol.ProtocolError("bad-bundle", "too many files, or a path that leads elsewhere")
    if (found := digest_of(files)) != digest:
        raise protocol.ProtocolError("bad-bundle", f"its files are {found[:16]}, it is called {digest[:16]}")
    return files


# --- Placement --------------------------------------------------------------------------------------------

LABELS = ("nested", "vm")
"""Labels with a meaning of our own: the profile for engines, and virtual machines under QEMU."""
IMAGE_LABELS = {"vm": "vm", "xen": "vm"}
EVERYWHERE = "base"
"""The image that every host has before it takes anything."""


def needs_of(lab: Mapping[str, Any]) -> frozenset[str]:
    """The labels that a host must carry for this lab (lab.json): profile, kind of machine, and each image but ``base``."""
    found = set()
    for machine in lab.get("machines", {}).values():
        image = machine.get("image", EVERYWHERE)
        found |= {"nested"} if machine.get("profile") == "nested" else set()
        found |= {IMAGE_LABELS[image]} if image in IMAGE_LABELS else set()
        found |= {f"image-{image}"} if image != EVERYWHERE else set()
    return frozenset(found)


def queue_of(needs: Iterable[str]) -> str:
    """The queue on which creates with these needs wait."""
    return ".".join((protocol.QUEUE_SANDBOXES, "+".join(sorted(needs)))).rstrip(".")


def needs_of_queue(queue: str) -> frozenset[str] | None:
    """The other way round; None if it is no queue of creates."""
    name, _, needs = queue.partition(".")
    return frozenset(filter(None, needs.split("+"))) if name == protocol.QUEUE_SANDBOXES else None


def labels_of(host: Mapping[str, Any]) -> frozenset[str]:
    """The labels of a host by its line in the table of hosts: its own, and one for each image it has."""
    return frozenset(host.get("labels", LABELS)) | {f"image-{image}" for image in host.get("images", ())}
