import pytest

from sampan.cli.create import flags, values
from sampan.cli.flags import KIND, NAME, SHORT, USAGE, parse
from sampan.cli.kinds import KINDS

RUN = flags.by_name(flags.SHARED + flags.RUN_ONLY)
CREATE = flags.by_name(flags.SHARED + flags.CREATE_ONLY)
BOTH = pytest.mark.parametrize("rows", [RUN, CREATE], ids=["run", "create"])
Rows = tuple[tuple[str, ...], ...]


@pytest.fixture(autouse=True)
def kinds() -> None:
    values.register()


@BOTH
def test_no_name_and_no_shorthand_stands_for_two_flags(rows: Rows) -> None:
    names = [row[NAME] for row in rows]
    shorthands = [row[SHORT] for row in rows if row[SHORT]]
    assert len(names) == len(set(names))
    assert len(shorthands) == len(set(shorthands))


@BOTH
def test_every_flag_has_a_kind_that_is_known_and_a_help_text(rows: Rows) -> None:
    assert {row[KIND] for row in rows} <= set(KINDS)
    assert all(row[USAGE] for row in rows)


@BOTH
def test_help_lists_the_flags_by_name(rows: Rows) -> None:
    names = [row[NAME] for row in rows]
    assert names == sorted(names)


def test_only_run_can_be_in_the_background_and_pass_signals_on() -> None:
    differing = {row[NAME] for row in RUN} ^ {row[NAME] for row in CREATE}
    assert differing == {"detach", "detach-keys", "sig-proxy"}


@pytest.mark.parametrize(
    ("words", "values_by_flag"),
    [
        (["-itP", "-m", "64m"], {"interactive": True, "tty": True, "publish-all": True, "memory": 64 << 20}),
        (["-dc", "512", "-w", "/x"], {"detach": True, "cpu-shares": 512, "workdir": "/x"}),
        (["-p80:80", "-v", "/a:/b", "-l", "k=v"], {"publish": ["80:80"], "volume": ["/a:/b"], "label": ["k=v"]}),
        (["-e", "A=b", "-u", "1:2", "-q"], {"env": ["A=b"], "user": "1:2", "quiet": True}),
        (["-a", "stdin", "-a", "STDERR"], {"attach": ["stdin", "stderr"]}),
        (["-h", "web"], {"hostname": "web"}),
        (["--cpus", "1.5", "--memory-swap", "-1"], {"cpus": 1_500_000_000, "memory-swap": -1}),
        (["--health-interval", "1m30s"], {"health-interval": 90 * 10**9}),
        (["--init=false"], {"init": False}),
    ],
)
def test_a_command_line_is_read(words: list[str], values_by_flag: dict[str, object]) -> None:
    parsed = parse(RUN, [*words, "box", "ls", "-l"], stops_at_argument=True)
    assert {flag: parsed[flag] for flag in values_by_flag} == values_by_flag
    assert parsed.changed == set(values_by_flag)
    assert parsed.arguments == ["box", "ls", "-l"]


@pytest.mark.parametrize(
    ("flag", "value"),
    [("sig-proxy", True), ("disable-content-trust", True), ("memory-swappiness", -1), ("rm", False), ("sysctl", {})],
)
def test_a_flag_that_is_not_given_has_its_default(flag: str, value: object) -> None:
    assert parse(RUN, ["box"], stops_at_argument=True)[flag] == value
