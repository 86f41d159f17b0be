"""Everything is constructed here, in the order in which it depends on each other, and released in reverse.

Order       locks, sockets (bound, not served)  →  launcher  →  database  →  content, snapshots, images, volumes  →
            network  →  containers as they are found (`recovery`)
            The launcher is first of the parts: it must be forked before this process grows.
"""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from uuid import uuid4

from sampan.base.atomicfile import write_atomic
from sampan.base.clock import system_clock
from sampan.base.locks import Keyed
from sampan.base.tasks import TaskScope, concurrently, run_blocking
from sampan.daemon.bridge import kept_while_needed
from sampan.daemon.config import Config
from sampan.daemon.recovery import recover
from sampan.engine import apparmor, host, images, system
from sampan.engine.accounts import Accounts
from sampan.engine.containers.collaborators import Containers, Paths
from sampan.engine.containers.record import COMPONENT, MIGRATIONS
from sampan.engine.containers.registry import Registry
from sampan.engine.containers.states import State
from sampan.engine.engine import Engine
from sampan.engine.eventlog import EventLog
from sampan.engine.execs.registry import ExecRegistry, Execs
from sampan.engine.idmapping import IdMapping
from sampan.engine.launcher import Launcher
from sampan.engine.logs import DirectoryWatcher
from sampan.engine.networks import Networks as NetworkVerbs
from sampan.engine.runtimes import Runtimes, probe_features
from sampan.engine.userns import check_kernel, mapping_for
from sampan.image.store import ImageStore
from sampan.network.networks import Networks
from sampan.storage.content import ContentStore
from sampan.storage.metadata import Database
from sampan.storage.snapshot.overlay import OverlaySnapshotter
from sampan.storage.volume import VolumeStore


def prepare_roots(config: Config) -> None:
    """The daemon's directories; other users may pass through, so that files bound into containers can be reached."""
    for path in (config.data_root, f"{config.data_root}/containers", config.exec_root):
        os.makedirs(path, mode=0o711, exist_ok=True)
    path = f"{config.exec_root}/containers"
    os.makedirs(path, mode=0o700, exist_ok=True)
    # Another runtime has to find a container's root as the one who is root there.
    os.chmod(path, 0o711 if config.userns_remap else 0o700)


def _engine_id(data_root: str) -> str:
    """Made once per data root."""
    path = f"{data_root}/engine-id"
    try:
        with open(path, encoding="ascii") as file:
            return file.read().strip()
    except FileNotFoundError:
        found = str(uuid4())
        write_atomic(path, found.encode())
        return found


@asynccontextmanager
async def assembled(config: Config) -> AsyncIterator[Engine]:
    """The running engine of a configuration whose roots exist and are ours alone."""
    root, registry, events = config.data_root, Registry(), EventLog()
    async with Launcher() as launcher, _opened_storage(config) as (database, snapshotter):
        id_mapping = await _id_mapping(config, launcher)
        store = ImageStore(
            ContentStore(f"{root}/content"),
            snapshotter,
            database,
            unpack=launcher.unpack,
            events=images.publisher(events),
        )
        store.open()
        await store.sweep()
        volumes = VolumeStore(f"{root}/volumes", database, users_of=_users_in(registry))
        volumes.open()
        networks = Networks(database, bridge=config.bridge, bip=config.bip or None, mtu=config.mtu)
        async with kept_while_needed(config, networks), TaskScope("engine") as tasks:
            facts = host.probe(
                cgroup_parent=config.cgroup_parent,
                seccomp_profile=config.seccomp_profile,
                no_new_privileges=config.no_new_privileges,
            )
            facts = replace(facts, id_mapping=id_mapping)
            await apparmor.ensure_loaded()
            watcher = DirectoryWatcher()
            runtimes = await _runtimes(config)
            containers = Containers(
                registry=registry,
                database=database,
                images=store,
                snapshotter=snapshotter,
                volumes=volumes,
                networks=networks,
                launcher=launcher,
                events=events,
                tasks=tasks,
                locks=Keyed(),
                clock=system_clock,
                paths=Paths(root, config.exec_root),
                host=facts,
                log_watcher=watcher,
                runtimes=runtimes,
            )
            execs = Execs(containers=containers, registry=ExecRegistry())
            try:
                await recover(execs, networks)
                yield Engine(
                    containers=containers,
                    execs=execs,
                    images=images.Images(store=store, registry=registry),
                    networks=NetworkVerbs(store=networks, registry=registry),
                    system=system.System(
                        id=_engine_id(root),
                        facts=facts,
                        data_root=root,
                        events=events,
                        counts=lambda: _counts(registry, store),
                        debug=config.log_level == "debug",
                        labels=config.labels,
                        runtimes=runtimes,
                    ),
                )
            finally:
                events.close()
                watcher.close()


async def _id_mapping(config: Config, launcher: Launcher) -> IdMapping | None:
    """What --userns-remap asks for, tried out in the data root."""
    mapping = await run_blocking("disk", mapping_for, config.userns_remap, Accounts())
    if mapping is not None:
        check_kernel(host.kernel_release())
        await launcher.try_id_mapping(config.data_root, mapping)
    return mapping


async def _runtimes(config: Config) -> Runtimes:
    """The configured runtimes, each asked what it can do."""
    names, found = list(config.runtimes), list(config.runtimes.values())
    features = await concurrently(*(run_blocking("disk", probe_features, runtime) for runtime in found))
    return Runtimes(
        configured=config.runtimes,
        default=config.default_runtime,
        init_path=config.init_path,
        features=dict(zip(names, features, strict=True)),
    )


@asynccontextmanager
async def _opened_storage(config: Config) -> AsyncIterator[tuple[Database, OverlaySnapshotter]]:
    database = Database(f"{config.data_root}/sampan.db")
    database.open()
    try:
        database.migrate(COMPONENT, MIGRATIONS)
        snapshotter = OverlaySnapshotter(f"{config.data_root}/snapshots", database)
        snapshotter.open()
        try:
            await snapshotter.sweep()
            yield database, snapshotter
        finally:
            snapshotter.close()
    finally:
        database.close()


def _users_in(registry: Registry) -> Callable[[str], list[str]]:
    """Which containers keep a volume; one that is being removed does not."""

    def users_of(name: str) -> list[str]:
        return [
            container.id
            for container in registry
            if container.state is not State.REMOVING and any(mount.name == name for mount in container.record.mounts)
        ]

    return users_of


def _counts(registry: Registry, store: ImageStore) -> system.Counts:
    states = [container.state for container in registry]
    running, paused = states.count(State.RUNNING), states.count(State.PAUSED)
    return system.Counts(
        running=running, paused=paused, stopped=len(states) - running - paused, images=len(store.list(all=True))
    )
