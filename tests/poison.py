"""Messages that nobody can work, raw, as whoever may write to a queue can push them; and one that can be worked."""

from __future__ import annotations

import base64
import json
import os
from typing import Any
from uuid import uuid4

GONE = object()
DEEP = "[" * 100_000 + "]" * 100_000
TEXTS = (b"", b"hello", b"null", b"17", b"NaN", b"[]", b'"x"', b"{}", b"\xff\xfe{}", DEEP.encode(),
         b'{"__type__": "uuid", "__value__": 7}', b'{"__type__": "decimal", "__value__": "x"}')


def packed(value: Any) -> str:
    return base64.b64encode(json.dumps(value).encode()).decode()


def good(task: str, **named: Any) -> dict[str, Any]:
    """As Celery sends it."""
    task_id = str(uuid4())
    return {"body": packed([[], named, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}]),
            "content-type": "application/json", "content-encoding": "utf-8",
            "headers": {"lang": "py", "task": task, "id": task_id, "root_id": task_id, "retries": 0, "eta": None, "expires": None,
                        "timelimit": [None, None]},
            "properties": {"correlation_id": task_id, "reply_to": "", "delivery_mode": 2, "priority": 0, "body_encoding": "base64",
                           "delivery_tag": str(uuid4()), "delivery_info": {"exchange": "", "routing_key": "x"}}}


WRONG: list[tuple[str, str, Any]] = [
    *(("", "body", value) for value in (GONE, 7, [7], {}, "é!!", "abcde", packed(5), packed({"a": 1}), packed([[], {}]),
                                        packed(["ab", {}, {}]), packed([[], [1], {}]), packed([None, None, None]),
                                        base64.b64encode(b"{nope").decode(), base64.b64encode(b"\xff").decode(),
                                        base64.b64encode(DEEP.encode()).decode(), packed([[], {"x": "x" * 2_000_000}, {}]))),
    *(("", name, value) for name in ("headers", "properties") for value in (GONE, None, [1], "x", 5)),
    *(("", "content-type", value) for value in (GONE, None, [], "application/x-python-serialize", "text/nothing")),
    *(("", "content-encoding", value) for value in (None, [], "utf-99", "binary")),
    ("properties", "body_encoding", "rot13"), ("properties", "body_encoding", []),
    *(("headers", "task", value) for value in (GONE, None, 5, [1], {}, "no.such", "celery.chain", "\ud800")),
    *(("headers", "id", value) for value in (GONE, None, 5, [], {}, "x")),
    *(("headers", "retries", value) for value in ("x", -1, [1])),
    *(("headers", name, value) for name in ("eta", "expires") for value in ("tomorrow", 5, [1], "9999-12-31T23:59:59+00:00",
                                                                           "0001-01-01T00:00:00+14:00")),
]
"""(part, name, value): a good message in which that is so."""
HARMLESS: list[tuple[str, str, Any]] = [
    *(("properties", "delivery_tag", value) for value in (GONE, None, [], {}, 7, "\ud800")),
    *(("properties", "delivery_info", value) for value in (GONE, None, [1], "x", {"exchange": {}, "routing_key": "elsewhere"})),
    *(("headers", "timelimit", value) for value in ("x", 7)), ("headers", "stamps", 7), ("headers", "compression", "application/x-nothing"),
    ("properties", "reply_to", [1]), ("headers", "shadow", [1]),
]
"""What Celery would fall over, in parts that are not taken over: such a message is worked."""


def changed(message: dict[str, Any], part: str, name: str, value: Any) -> dict[str, Any]:
    place = message[part] if part else message
    if value is GONE:
        del place[name]
    else:
        place[name] = value
    return message


def raw(task: str, **named: Any) -> list[bytes]:
    """Every message of this module that must be refused."""
    return [*TEXTS, os.urandom(64), json.dumps(good(task, **named)).encode()[:200],
            *(json.dumps(changed(good(task, **named), *wrong)).encode() for wrong in WRONG)]
