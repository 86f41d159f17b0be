from sampan.network.drivers import HostDriver, LoopbackDriver, Wishes
from sampan.network.values import Endpoint

ENDPOINT = Endpoint("c", "n", "none", "e")


def test_the_networks_without_addresses_give_none() -> None:
    for driver in (LoopbackDriver(), HostDriver()):
        assert driver.reserve(ENDPOINT, Wishes(name="web")) == ENDPOINT
        driver.connect(ENDPOINT, None)
        driver.disconnect(ENDPOINT, namespace_stays=True)
        driver.free(ENDPOINT)
