"""The engine under test, and the image that its tests run."""

from support import rootfs
from support.api import Api
from support.sampand import Sampand


class Engine:
    """Its API, and its process where it is ours."""

    def __init__(self, socket_path: str, sampand: Sampand | None) -> None:
        self.socket_path = socket_path
        self.sampand = sampand
        self.api = Api(socket_path)


def import_image(api: Api, name: str) -> None:
    """Make the busybox image under this name, which has a tag."""
    repository, tag = name.split(":")
    api("POST", "/images/create", rootfs.busybox(), fromSrc="-", repo=repository, tag=tag)
