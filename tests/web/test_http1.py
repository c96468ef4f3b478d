"""The reader of answers against whatever a student's program may send, in whatever pieces it arrives."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labs.previews import headers
from labs.previews.http1 import Answer, BadAnswer, request

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
PARTS = [b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 100\r\n", b"\r\n", b"\n", b"Content-Length: 5\r\n", b"Content-Length: x\r\n",
         b"Transfer-Encoding: chunked\r\n", b"Location: http://[x\r\n", b"Set-Cookie: a=b; Domain\r\n", b"5\r\nhello\r\n",
         b"0\r\n\r\n", b"ffffffff\r\n", b"hello", b"\x00", b": \r\n"]


async def read(data: bytes, size: int = 7, method: str = "GET") -> tuple[int, bytes]:
    """(status, body) of an answer that arrives in pieces of ``size``."""
    pieces = [data[start:start + size] for start in range(0, len(data), size)]

    async def next_piece() -> bytes:
        return pieces.pop(0) if pieces else b""
    answer = Answer(next_piece, method)
    await answer.head()
    headers.from_machine(answer.headers, 8080, "bulkhead-preview", "; SameSite=Lax")
    return answer.status, b"".join([piece async for piece in answer.body()])


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PARTS) | st.binary(max_size=20), max_size=12), st.integers(1, 40))
async def test_an_answer_is_read_or_refused_and_nothing_else(parts, size):
    try:
        status, _ = await read(b"".join(parts), size)
        assert 200 <= status <= 599
    except (BadAnswer, ValueError):
        pass


@settings(max_examples=100, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=50), max_size=8), st.integers(1, 30))
async def test_how_the_bytes_arrive_changes_nothing(chunks, size):
    framed = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\nTrailer: 1\r\n\r\n"
    assert await read(CHUNKED + framed, size) == (200, b"".join(chunks))
    for cut in range(1, len(framed), 7):
        with pytest.raises(BadAnswer):
            await read(CHUNKED + framed[:-cut], size)


@pytest.mark.parametrize(("size", "is_read"), [(65536, True), (70000, False)])
async def test_a_head_is_bounded(size, is_read):
    head = b"HTTP/1.1 200 OK\r\nX: "
    whole = head + b"x" * (size - len(head) - 4) + b"\r\n\r\n"
    if is_read:
        assert (await read(whole, 4096))[0] == 200
    else:
        with pytest.raises(BadAnswer):
            await read(whole, 4096)


async def test_an_answer_to_head_has_no_body():
    assert await read(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", method="HEAD") == (200, b"")


@pytest.mark.parametrize(("target", "value"), [(b"/a b", b"x"), (b"/a\r\nX: 1", b"x"), (b"/", b"x\r\nX: 1"), (b"/", b"\x00")])
def test_a_request_is_one_request(target, value):
    with pytest.raises(ValueError, match="line"):
        request("GET", target, [(b"x", value)])
