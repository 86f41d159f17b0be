"""The engine: what the API promises of containers, execs, images and itself, as groups of verbs.

    sampan.engine.containers.<verb>    <verb>(engine.containers, ref, ...)
    sampan.engine.execs.<verb>         <verb>(engine.execs, exec_id, ...)
    sampan.engine.images               functions of engine.images
    sampan.engine.networks             functions of engine.networks
    sampan.engine.system               functions of engine.system

Nothing here is constructed but by `daemon.assemble`, or by a test.
"""

from dataclasses import dataclass

from sampan.engine.containers.collaborators import Containers
from sampan.engine.execs.registry import Execs
from sampan.engine.images import Images
from sampan.engine.networks import Networks
from sampan.engine.system import System


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """The collaborators of all verbs."""

    containers: Containers
    execs: Execs
    images: Images
    networks: Networks
    system: System
