import os
from collections.abc import Iterator
from dataclasses import replace

import pytest

from sampan.network import predefined, records
from sampan.network.values import Endpoint, PublishedPort
from sampan.storage.metadata import Database

NETWORK = replace(predefined.make("bridge", 5), subnet="10.82.0.0/24", gateway="10.82.0.1", options={"a": "b"})
PORTS = (PublishedPort(80, "tcp", "0.0.0.0", 8080), PublishedPort(53, "udp", "127.0.0.1", 53))
ENDPOINT = Endpoint("c", NETWORK.id, "bridge", "e", "10.82.0.2", 24, "10.82.0.1", "02:42:0a:52:00:02", "smp0", PORTS)


@pytest.fixture
def database(tmp_path: os.PathLike[str]) -> Iterator[Database]:
    opened = Database(os.path.join(tmp_path, "metadata.db"))
    opened.open()
    opened.migrate(records.COMPONENT, records.MIGRATIONS)
    opened.write_blocking(lambda tx: records.save_networks(tx, [NETWORK]))
    yield opened
    opened.close()


def test_networks_and_endpoints_come_back_as_they_were(database: Database) -> None:
    database.write_blocking(lambda tx: records.save_endpoint(tx, ENDPOINT))
    assert records.load_networks(database) == [NETWORK]
    assert records.load_endpoints(database) == [ENDPOINT]


def test_saving_a_network_again_changes_its_subnet_but_neither_name_nor_birth(database: Database) -> None:
    changed = replace(NETWORK, subnet="10.83.0.0/24", name="other", created_ns=9)
    database.write_blocking(lambda tx: records.save_networks(tx, [changed]))
    assert records.load_networks(database) == [replace(NETWORK, subnet="10.83.0.0/24")]


def test_an_endpoint_is_deleted_by_its_own_id(database: Database) -> None:
    late = replace(ENDPOINT, endpoint_id="late")
    database.write_blocking(lambda tx: records.save_endpoint(tx, ENDPOINT))
    database.write_blocking(lambda tx: records.save_endpoint(tx, late))
    database.write_blocking(lambda tx: records.delete_endpoints(tx, [ENDPOINT]))
    assert records.load_endpoints(database) == [late], "the container had joined again before the row was removed"
