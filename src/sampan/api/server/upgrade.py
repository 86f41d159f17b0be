"""From a validated session to a hijacked connection: the answer that both attach and exec give."""

from aiohttp.web_response import StreamResponse

from sampan import errors
from sampan.api.server.answers import MULTIPLEXED_STREAM, RAW_STREAM
from sampan.api.server.backend import Session
from sampan.api.server.call import Call
from sampan.api.server.hijack import DETACHED


async def connect(call: Call, session: Session) -> StreamResponse:
    """Answer 101 (200 to clients that do not ask for an upgrade) and hand the connection to the session."""
    connection = call.connection
    try:
        if not connection.is_hijackable(call.request):
            raise errors.InvalidArgument("this request takes the connection: it cannot be pipelined behind another")
        fd, early = await connection.hijack(_head(call, tty=session.tty))
    except BaseException:
        session.close()
        raise
    await session.connect(fd, early)
    return DETACHED


def _head(call: Call, *, tty: bool) -> bytes:
    if "Upgrade" not in call.request.headers:
        return f"HTTP/1.1 200 OK\r\nContent-Type: {RAW_STREAM}\r\n\r\n".encode()
    kind = MULTIPLEXED_STREAM if not tty and call.api >= 42 else RAW_STREAM
    return f"HTTP/1.1 101 UPGRADED\r\nContent-Type: {kind}\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n".encode()
