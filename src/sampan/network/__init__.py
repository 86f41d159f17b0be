"""Networks, endpoints, addresses, published ports and the firewall."""

from sampan.network.networks import Networks
from sampan.network.values import Endpoint, Netns, Network, PortBinding, PublishedPort

__all__ = ["Endpoint", "Netns", "Network", "Networks", "PortBinding", "PublishedPort"]
