"""The texts are those of Docker 28.5 for the same requests."""

import os

import pytest

from sampan.api.wire.container import ContainerConfig, HealthConfig
from sampan.api.wire.host import HostConfig, LogConfig, RestartPolicy
from sampan.api.wire.network import PortBinding
from sampan.engine.containers.validation import check_config, check_host, check_name
from sampan.errors import Internal, InvalidArgument

CPUS = os.cpu_count()
POLICY = "invalid restart policy: "


@pytest.mark.parametrize(
    ("host", "message"),
    [
        (HostConfig(memory=1000), "Minimum memory limit allowed is 6MB"),
        (
            HostConfig(memory=10_000_000, memory_swap=100),
            "Minimum memoryswap limit should be larger than memory limit, see usage",
        ),
        (HostConfig(memory_swap=100), "You should always set the Memory limit when using Memoryswap limit, see usage"),
        (
            HostConfig(nano_cpus=100_000_000_000_000),
            f"range of CPUs is from 0.01 to {CPUS}.00, as there are only {CPUS} CPUs available",
        ),
        (HostConfig(cpuset_cpus="x"), "Invalid value x for cpuset cpus: invalid format: x"),
        (HostConfig(cap_add=["FOO"]), 'invalid CapAdd: unknown capability: "CAP_FOO"'),
        (HostConfig(cap_drop=["cap_foo"]), 'invalid CapDrop: unknown capability: "CAP_FOO"'),
        (
            HostConfig(restart_policy=RestartPolicy(name="foo")),
            POLICY + "unknown policy 'foo'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'",
        ),
        (
            HostConfig(restart_policy=RestartPolicy(name="always"), auto_remove=True),
            "can't create 'AutoRemove' container with restart policy",
        ),
        (
            HostConfig(restart_policy=RestartPolicy(name="no", maximum_retry_count=3)),
            POLICY + "maximum retry count can only be used with 'on-failure'",
        ),
        (
            HostConfig(restart_policy=RestartPolicy(name="on-failure", maximum_retry_count=-3)),
            POLICY + "maximum retry count cannot be negative",
        ),
        (
            HostConfig(log_config=LogConfig(type="nosuch")),
            'error looking up logging plugin nosuch: plugin "nosuch" not found',
        ),
        (
            HostConfig(log_config=LogConfig(type="json-file", config={"foo": "1"})),
            "unknown log opt 'foo' for json-file log driver",
        ),
        (HostConfig(pid_mode="x"), "invalid PID mode: x"),
        (HostConfig(ipc_mode="x"), "invalid IPC mode: x"),
        (HostConfig(uts_mode="x"), "invalid UTS mode: x"),
        (HostConfig(shm_size=-1), "SHM size can not be less than 0"),
        (HostConfig(oom_score_adj=2000), "Invalid value 2000, range for oom score adj is [-1000, 1000]"),
        (HostConfig(port_bindings={"x/tcp": []}), 'invalid port specification: "x"'),
        (
            HostConfig(port_bindings={"80/tcp": [PortBinding(host_port="x")]}),
            'invalid port specification: "x"',
        ),
        (HostConfig(isolation="foo"), "invalid isolation (foo): linux only supports 'default'"),
        (HostConfig(extra_hosts=["x"]), 'bad format for add-host: "x"'),
        (HostConfig(cpu_shares=-1), "invalid CPU shares (-1): value must be a positive integer"),
        (
            HostConfig(cpu_period=1, cpu_quota=1),
            "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)",
        ),
        (
            HostConfig(nano_cpus=1_000_000, cpu_period=100_000),
            "Conflicting options: Nano CPUs and CPU Period cannot both be set",
        ),
    ],
)
def test_an_impossible_host_configuration_is_refused_in_dockers_words(host: HostConfig, message: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        check_host(host)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            ContainerConfig(working_dir="rel"),
            "the working directory 'rel' is invalid, it needs to be an absolute path",
        ),
        (ContainerConfig(env=["=x"]), "invalid environment variable: =x"),
        (ContainerConfig(stop_signal="FOO"), "invalid signal: FOO"),
        (ContainerConfig(mac_address="x"), "invalid config for network bridge: invalid MAC address x"),
        (
            ContainerConfig(healthcheck=HealthConfig(interval=1)),
            "Interval in Healthcheck cannot be less than 1ms",
        ),
    ],
)
def test_an_impossible_configuration_is_refused_in_dockers_words(config: ContainerConfig, message: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        check_config(config)
    assert str(caught.value) == message


def test_a_usual_configuration_passes() -> None:
    check_config(ContainerConfig(env=["A=b", "C"], stop_signal="SIGINT", working_dir="/x"))
    check_host(
        HostConfig(
            memory=64 << 20,
            memory_swap=-1,
            nano_cpus=500_000_000,
            cpuset_cpus="0",
            cap_add=["ALL", "net_admin"],
            log_config=LogConfig(type="json-file", config={"max-size": "1m"}),
            port_bindings={"80/tcp": [PortBinding(host_port="8000-8010")], "53/udp": None},
            security_opt=["no-new-privileges", "seccomp=unconfined"],
            pid_mode="container:x",
        )
    )


def test_names_are_of_two_or_more_characters() -> None:
    assert check_name("/web-1") == "web-1"
    for name in ("a", "!", "a b", "-ab", "ä1", "a/b"):
        with pytest.raises(InvalidArgument, match=r"only .* are allowed"):
            check_name(name)


def test_an_unknown_security_option_is_dockers_500() -> None:
    with pytest.raises(Internal, match='invalid --security-opt 2: "foo=bar"'):
        check_host(HostConfig(security_opt=["foo=bar"]))
