"""The part of a lesson that is the same for everybody.

What is remembered here is found by the very text it was made from, so no publish has to tell any process: another text
is another entry. Nothing in it may depend on who asks; it is shared, and nobody may change it.
"""

from __future__ import annotations

import functools
import json
from typing import Any

MOST_TEXTS = 256
"""Some 50 KB each; a course has a document and a lab for each of its 30 to 60 lessons."""


@functools.lru_cache(MOST_TEXTS)
def decoded(text: str) -> Any:
    """What a lesson's document or lab says."""
    return json.loads(text)
