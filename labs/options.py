"""Under which names and in which order a page shows options: neither tells anything about the right answer.

A document's ids (``o0``, ``o1``, ...) count in the order in which the author wrote: for lines to be put in order that
is the right one, and most choices have theirs at the same place. So a page carries names that are made with the site's
key, for every reader others, and stored answers keep the ids: nothing is lost if the key changes.
"""

from __future__ import annotations

import hashlib
import itertools
from typing import Any

from django.utils.crypto import salted_hmac

Option = dict[str, Any]
NAME_BYTES = 6


def key_of(user: Any, lesson: Any, block: str, question: str = "") -> bytes:
    """What names and order depend on. Whoever is not signed in is nobody in particular."""
    return key(f"{user.pk or 'nobody'}/{lesson.pk}/{block}/{question}")


def key(whose: str) -> bytes:
    return salted_hmac("labs.options", whose, algorithm="sha256").digest()


def names(options: list[Option], key: bytes) -> dict[str, str]:
    """What the page calls each option, by its id."""
    return {option["id"]: _digest(b"name", key, option["id"])[:NAME_BYTES].hex() for option in options}


def ids(options: list[Option], key: bytes) -> dict[str, str]:
    """The other way round: what comes back from a page, to ids. A name that isn't in it was not asked."""
    return {name: option for option, name in names(options, key).items()}


def mixed(options: list[Option], key: bytes, is_order: bool) -> list[Option]:
    """In the same order at every look. Lines to be put in order are mixed again until they are out of it: moving one of
    them would show where the others belong."""
    for again in itertools.count():
        found = sorted(options, key=lambda option: _digest(b"place", key, f"{again}/{option['id']}"))
        if not is_order or found != options or len(options) < 2:
            return found
    raise AssertionError("unreachable")


def _digest(use: bytes, key: bytes, option: str) -> bytes:
    """Not the same for both uses: sorted by their names, lines would tell whether they were mixed again."""
    return hashlib.blake2b(option.encode(), key=key, person=use, digest_size=16).digest()
