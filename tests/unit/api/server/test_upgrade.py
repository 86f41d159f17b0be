import pytest

from fakes.api_backend import FakeBackend
from support.api_serving import Client, serve

ATTACH = "/v1.51/containers/c1/attach?stream=1&stdin=1&stdout=1"
UPGRADE = {"Connection": "Upgrade", "Upgrade": "tcp"}


def test_an_upgrade_is_answered_101_with_the_stream_type_of_the_session() -> None:
    async def body(client: Client, backend: FakeBackend) -> None:
        client.send("POST", ATTACH, **UPGRADE)
        raw = await client.reader.readuntil(b"\r\n\r\n")
        assert raw == (
            b"HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.multiplexed-stream\r\n"
            b"Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
        )
        client.writer.write_eof()
        assert await client.reader.read() == b"<end>"

    serve(body)


@pytest.mark.parametrize(
    ("version", "tty", "kind"),
    [("1.51", True, "raw"), ("1.42", False, "multiplexed"), ("1.41", False, "raw")],
)
def test_the_stream_type_depends_on_terminal_and_version(version: str, tty: bool, kind: str) -> None:
    async def body(client: Client, backend: FakeBackend) -> None:
        backend.tty = tty
        client.send("POST", f"/v{version}/containers/c1/attach?stream=1", **UPGRADE)
        status, headers = await client.head()
        assert (status, headers["content-type"]) == (101, f"application/vnd.docker.{kind}-stream")

    serve(body)


def test_without_an_upgrade_the_answer_is_200_and_raw() -> None:
    async def body(client: Client, backend: FakeBackend) -> None:
        client.send("POST", ATTACH)
        raw = await client.reader.readuntil(b"\r\n\r\n")
        assert raw == b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n"

    serve(body)


def test_a_refused_hijack_leaves_the_connection_usable() -> None:
    async def body(client: Client, backend: FakeBackend) -> None:
        answer = await client.ask("POST", "/containers/nope/attach", **UPGRADE)
        assert (answer.status, answer.body) == (404, b'{"message":"No such container: nope"}\n')
        assert (await client.ask("GET", "/_ping")).body == b"OK"
        client.send("POST", ATTACH, **UPGRADE)
        assert (await client.head())[0] == 101

    serve(body)


def test_a_hijack_pipelined_behind_another_request_is_refused() -> None:
    async def body(client: Client, backend: FakeBackend) -> None:
        client.writer.write(
            b"GET /_ping HTTP/1.1\r\nHost: d\r\n\r\nPOST /containers/c1/attach HTTP/1.1\r\nHost: d\r\n\r\n"
        )
        assert (await client.answer()).status == 200
        assert (await client.answer()).status == 400
        assert backend.session is not None
        assert backend.session.closed

    serve(body)


def test_a_session_is_given_back_when_its_connection_cannot_be_taken() -> None:
    async def body(client: Client, backend: FakeBackend) -> None:
        client.writer.write(
            b"GET /_ping HTTP/1.1\r\nHost: d\r\n\r\nPOST /exec/c1/start HTTP/1.1\r\nHost: d\r\nContent-Length: 2\r\n"
            b"Content-Type: application/json\r\n\r\n{}"
        )
        assert (await client.answer()).body == b"OK"
        answer = await client.answer()
        assert (answer.status, b"cannot be pipelined" in answer.body) == (400, True)
        assert not backend.connected.is_set()

    serve(body)
