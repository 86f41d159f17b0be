import errno
import json

import pytest

from fakes.api_backend import FakeBackend
from sampan import errors
from support.api_serving import Client, serve


@pytest.mark.parametrize(
    ("failure", "status"),
    [
        (errors.InvalidArgument("m"), 400),
        (errors.Unauthenticated("m"), 401),
        (errors.PermissionDenied("m"), 403),
        (errors.NotFound("m"), 404),
        (errors.Conflict("m"), 409),
        (errors.AlreadyExists("m"), 409),
        (errors.ResourceExhausted("m"), 429),
        (errors.Internal("m"), 500),
        (errors.DataLoss("m"), 500),
        (errors.StartFailed("m", exit_code=127), 400),
        (errors.StartFailed("m", exit_code=126), 400),
        (errors.StartFailed("m", exit_code=128), 500),
        (errors.Unimplemented("m"), 501),
        (errors.Unavailable("m"), 503),
    ],
)
def test_each_class_of_error_has_its_status(failure: errors.Error, status: int) -> None:
    async def check(client: Client, backend: FakeBackend) -> None:
        backend.failure = failure
        answer = await client.ask("POST", "/containers/c1/start")
        assert (answer.status, json.loads(answer.body)) == (status, {"message": "m"})

    serve(check)


def test_not_modified_has_no_body() -> None:
    async def check(client: Client, backend: FakeBackend) -> None:
        backend.failure = errors.NotModified("running already")
        client.send("POST", "/containers/c1/start")
        status, headers = await client.head()
        assert (status, "content-length" in headers, "content-type" in headers) == (304, False, False)
        assert (await client.ask("GET", "/_ping")).status == 200

    serve(check)


def test_a_full_disk_is_not_the_clients_fault() -> None:
    async def check(client: Client, backend: FakeBackend) -> None:
        backend.failure = errors.ResourceExhausted("no space left on device")
        backend.failure.__cause__ = OSError(errno.ENOSPC, "no space left on device")
        assert (await client.ask("POST", "/containers/c1/start")).status == 500

    serve(check)
