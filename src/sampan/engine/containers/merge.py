"""A create request's configuration with the image's merged in; pure.

Spec    moby daemon/commit.go, merge: the request wins; an entrypoint in the request also drops the image's command;
        environment, labels, exposed ports and volumes are united.
"""

import msgspec

from sampan.api.wire.container import ContainerConfig, HealthConfig
from sampan.errors import InvalidArgument
from sampan.oci.image import RunConfig


def merged(asked: ContainerConfig, image: RunConfig) -> ContainerConfig:
    """The configuration that the container is going to have, hostname apart."""
    entrypoint, cmd = asked.entrypoint, asked.cmd
    if not entrypoint:
        cmd = cmd or image.cmd
        # [""] is how clients spell "no entrypoint, not even the image's"
        entrypoint = image.entrypoint if entrypoint is None else entrypoint
    if entrypoint == [""]:
        entrypoint = None
    return msgspec.structs.replace(
        asked,
        user=asked.user or image.user,
        exposed_ports={**(image.exposed_ports or {}), **asked.exposed_ports},
        env=_merged_env(asked.env or [], image.env or []),
        labels={**(image.labels or {}), **(asked.labels or {})},
        cmd=cmd,
        entrypoint=entrypoint,
        working_dir=asked.working_dir or image.working_dir,
        volumes={**{path: {} for path in image.volumes or {}}, **(asked.volumes or {})} or None,
        stop_signal=asked.stop_signal or image.stop_signal,
        stop_timeout=image.stop_timeout if asked.stop_timeout is None else asked.stop_timeout,
        shell=asked.shell or image.shell or [],
        healthcheck=_merged_health(asked.healthcheck, image),
    )


def command(config: ContainerConfig) -> tuple[str, list[str]]:
    """The program and its arguments of a merged configuration."""
    words = [*(config.entrypoint or []), *(config.cmd or [])]
    if not words:
        raise InvalidArgument("no command specified")
    return words[0], words[1:]


def _merged_env(asked: list[str], image: list[str]) -> list[str]:
    names = {variable.partition("=")[0] for variable in asked}
    return asked + [variable for variable in image if variable.partition("=")[0] not in names]


def _merged_health(asked: HealthConfig | None, image: RunConfig) -> HealthConfig | None:
    given = image.healthcheck
    if given is None:
        return asked
    own = asked or HealthConfig()
    return HealthConfig(
        test=own.test or given.test or [],
        interval=own.interval or given.interval,
        timeout=own.timeout or given.timeout,
        start_period=own.start_period or given.start_period,
        start_interval=own.start_interval or given.start_interval,
        retries=own.retries or given.retries,
    )
