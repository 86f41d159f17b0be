"""What the network package remembers: networks and endpoints, as rows of the metadata database.

Layout      networks    one row each; the three predefined ones are made at the first start and keep their ids
            endpoints   one row per container and network, from join to leave; what is here at start was connected when
                        the last daemon ended
Errors      those of `sampan.storage.metadata`.
"""

import json
from collections.abc import Iterable
from typing import Any

from sampan.network.values import Endpoint, Network, PublishedPort
from sampan.storage.metadata import Database, Transaction

COMPONENT = "network"

MIGRATIONS = (
    """
    CREATE TABLE networks (
        id TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        driver TEXT NOT NULL,
        created_ns INTEGER NOT NULL,
        subnet TEXT NOT NULL,
        gateway TEXT NOT NULL,
        options TEXT NOT NULL
    );
    CREATE TABLE endpoints (
        container_id TEXT NOT NULL,
        network_id TEXT NOT NULL REFERENCES networks(id),
        endpoint_id TEXT NOT NULL,
        ip_address TEXT NOT NULL,
        prefix_length INTEGER NOT NULL,
        gateway TEXT NOT NULL,
        mac_address TEXT NOT NULL,
        host_interface TEXT NOT NULL,
        published TEXT NOT NULL,
        PRIMARY KEY (container_id, network_id)
    ) WITHOUT ROWID;
    """,
)


def load_networks(database: Database) -> list[Network]:
    rows = database.read(
        lambda tx: tx.execute("SELECT id, name, driver, created_ns, subnet, gateway, options FROM networks")
    )
    return [
        Network(id_, name, driver, created_ns, subnet, gateway, json.loads(options))
        for id_, name, driver, created_ns, subnet, gateway, options in rows
    ]


def load_endpoints(database: Database) -> list[Endpoint]:
    rows = database.read(
        lambda tx: tx.execute(
            "SELECT container_id, network_id, name, endpoint_id, ip_address, prefix_length, endpoints.gateway,"
            " mac_address, host_interface, published"
            " FROM endpoints JOIN networks ON networks.id = network_id ORDER BY container_id"
        )
    )
    return [_endpoint(*row) for row in rows]


def save_networks(tx: Transaction, networks: Iterable[Network]) -> None:
    """Insert them; of those that are there, subnet and options can change."""
    for network in networks:
        options = json.dumps(network.options)
        tx.execute(
            "INSERT INTO networks VALUES (?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET subnet = excluded.subnet, gateway = excluded.gateway,"
            " options = excluded.options",
            (
                network.id,
                network.name,
                network.driver,
                network.created_ns,
                network.subnet,
                network.gateway,
                options,
            ),
        )


def save_endpoint(tx: Transaction, endpoint: Endpoint) -> None:
    published = [[port.container_port, port.protocol, port.host_ip, port.host_port] for port in endpoint.published]
    tx.execute(
        "INSERT OR REPLACE INTO endpoints VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            endpoint.container_id,
            endpoint.network_id,
            endpoint.endpoint_id,
            endpoint.ip_address,
            endpoint.prefix_length,
            endpoint.gateway,
            endpoint.mac_address,
            endpoint.host_interface,
            json.dumps(published),
        ),
    )


def delete_endpoints(tx: Transaction, endpoints: Iterable[Endpoint]) -> None:
    """Those that are not there are no error."""
    for endpoint in endpoints:
        tx.execute("DELETE FROM endpoints WHERE endpoint_id = ?", (endpoint.endpoint_id,))


def _endpoint(container_id: str, network_id: str, network_name: str, endpoint_id: str, *rest: Any) -> Endpoint:
    ip_address, prefix_length, gateway, mac_address, host_interface, published = rest
    return Endpoint(
        container_id,
        network_id,
        network_name,
        endpoint_id,
        ip_address,
        prefix_length,
        gateway,
        mac_address,
        host_interface,
        tuple(PublishedPort(*each) for each in json.loads(published)),
    )
