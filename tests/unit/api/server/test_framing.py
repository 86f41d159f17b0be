"""Where requests end, however their bytes are cut."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sampan.api.server.framing import RequestEnd

REQUESTS = [
    b"POST /containers/x/attach HTTP/1.1\r\nHost: d\r\n\r\n",
    b"POST /containers/x/attach HTTP/1.1\nHost: d\n\n",
    b"POST /exec/x/start HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
    b"POST /exec/x/start HTTP/1.1\r\ncontent-length:  5\r\nX: y\r\n\r\n{   }",
    b"POST /exec/x/start HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST /exec/x/start HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"
    b"A;ext=1\r\n0123456789\r\n1\r\n\n\r\n0\r\nT: 1\r\n\r\n",
]


@pytest.mark.parametrize("request_bytes", REQUESTS)
@given(cuts=st.lists(st.integers(0, 120)), behind=st.binary(max_size=30))
@settings(max_examples=60, deadline=None)
def test_the_end_is_found_wherever_the_bytes_are_cut(request_bytes: bytes, cuts: list[int], behind: bytes) -> None:
    stream = request_bytes + behind
    edges = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    end, taken = RequestEnd(), 0
    for first, last in pairwise(edges):
        piece = end.take(stream[first:last])
        taken += piece
        if piece < last - first:
            break
    assert (end.complete, taken) == (True, len(request_bytes))


def test_a_chunk_size_that_is_no_number_ends_the_search() -> None:
    end = RequestEnd()
    end.take(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n")
    assert end.complete


def test_an_unfinished_request_is_not_complete() -> None:
    end = RequestEnd()
    assert end.take(b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n1234") == 42
    assert not end.complete
