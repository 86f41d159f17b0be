"""What Docker 28.5 made of the same instructions: every expectation here was recorded from `docker import --change`."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampan.errors import InvalidArgument
from sampan.image.changes import apply_changes
from sampan.oci.image import RunConfig

ACCEPTED: list[tuple[list[str], dict[str, object]]] = [
    (['CMD ["a","b"]'], {"Cmd": ["a", "b"]}),
    (["CMD echo hi  there"], {"Cmd": ["/bin/sh", "-c", "echo hi  there"]}),
    (["CMD []"], {}),
    (["CMD"], {"Cmd": ["/bin/sh", "-c"]}),
    (['ENTRYPOINT ["x"]', "CMD y"], {"Entrypoint": ["x"], "Cmd": ["/bin/sh", "-c", "y"]}),
    (["CMD y", 'ENTRYPOINT ["x"]'], {"Entrypoint": ["x"], "Cmd": ["/bin/sh", "-c", "y"]}),
    (["ENTRYPOINT foo bar"], {"Entrypoint": ["/bin/sh", "-c", "foo bar"]}),
    (["ENTRYPOINT []"], {}),
    (['ENV a=1 b="two words" c=th\\ ree'], {"Env": ["a=1", "b=two words", "c=th ree"]}),
    (["ENV a b c  d"], {"Env": ["a=b c  d"]}),
    (["ENV a=1", "ENV a=2 b=$a", "ENV c=${a:-x}${q:-dflt}${a:+set}"], {"Env": ["a=2", "b=1", "c=2dfltset"]}),
    (['ENV a=\'$b\' c="x\\"y" d=x\\'], {"Env": ["a=$b", 'c=x"y', "d=x"]}),
    (
        ["EXPOSE 80 443/tcp 53/UDP 8000-8002"],
        {"ExposedPorts": {"443/tcp": {}, "53/udp": {}, "80/tcp": {}, "8000/tcp": {}, "8001/tcp": {}, "8002/tcp": {}}},
    ),
    (["EXPOSE 127.0.0.1:80:8080"], {"ExposedPorts": {"8080/tcp": {}}}),
    (['LABEL a=b "c d"="e f"'], {"Labels": {"a": "b", "c d": "e f"}}),
    (["LABEL multi word value"], {"Labels": {"multi": "word value"}}),
    (["ONBUILD RUN echo hi", "ONBUILD  ADD a b"], {"OnBuild": ["RUN echo hi", "ADD a b"]}),
    (["USER bob:grp"], {"User": "bob:grp"}),
    (["USER a b"], {"User": "a b"}),
    (["VOLUME /a /b"], {"Volumes": {"/a": {}, "/b": {}}}),
    (['VOLUME ["/c d","/e"]'], {"Volumes": {"/c d": {}, "/e": {}}}),
    (["WORKDIR /a", "WORKDIR b/../c"], {"WorkingDir": "/a/c"}),
    (["WORKDIR rel"], {"WorkingDir": "/rel"}),
    (["WORKDIR /a b"], {"WorkingDir": "/a b"}),
    (["STOPSIGNAL SIGTERM"], {"StopSignal": "SIGTERM"}),
    (["STOPSIGNAL 9"], {"StopSignal": "9"}),
    (["HEALTHCHECK NONE"], {"Healthcheck": {"Test": ["NONE"]}}),
    (
        ["HEALTHCHECK --interval=5s --timeout=3s --retries=2 --start-period=1m --start-interval=1s CMD curl -f x"],
        {
            "Healthcheck": {
                "Test": ["CMD-SHELL", "curl -f x"],
                "Interval": 5000000000,
                "Timeout": 3000000000,
                "StartPeriod": 60000000000,
                "StartInterval": 1000000000,
                "Retries": 2,
            }
        },
    ),
    (['HEALTHCHECK CMD ["a","b"]'], {"Healthcheck": {"Test": ["CMD", "a", "b"]}}),
    (["CMD a \\"], {"Cmd": ["/bin/sh", "-c", "a"]}),
    (['CMD ["a"'], {"Cmd": ["/bin/sh", "-c", '["a"']}),
    (["USER $x"], {}),
    (
        [
            "ENV x=5",
            "USER u$x",
            "WORKDIR /w/$x",
            "VOLUME /v/$x",
            "EXPOSE 80$x",
            'LABEL l=$x "k$x"=1',
            "STOPSIGNAL $x",
            "CMD echo $x",
        ],
        {
            "User": "u5",
            "ExposedPorts": {"805/tcp": {}},
            "Env": ["x=5"],
            "Cmd": ["/bin/sh", "-c", "echo $x"],
            "Volumes": {"/v/5": {}},
            "WorkingDir": "/w/5",
            "Labels": {"k5": "1", "l": "5"},
            "StopSignal": "5",
        },
    ),
    (['LABEL a="x\\ny" b=x\\\\y c="a\\$b" d=\'q"r\''], {"Labels": {"a": "x\\ny", "b": "x\\y", "c": "a$b", "d": 'q"r'}}),
    (['ENV a "quoted value" x'], {"Env": ["a=quoted value x"]}),
    (["ENV a=1\nENV b=2"], {"Env": ["a=1", "b=2"]}),
    (["ENTRYPOINT"], {}),
]

REFUSED: list[tuple[list[str], str]] = [
    (['cmd ["a", 1]'], "when using JSON array syntax, arrays must be comprised of strings only"),
    (["ENV a"], "ENV must have two arguments"),
    (["ENV a=1 b"], 'Syntax error - can\'t find = in "b". Must be of the form: name=value'),
    (["ENV =1"], "ENV names can not be blank"),
    (["EXPOSE"], "EXPOSE requires at least one argument"),
    (["EXPOSE abc"], "Invalid containerPort: abc"),
    (["EXPOSE 99999"], "Invalid containerPort: 99999"),
    (["EXPOSE 80/foo"], "Invalid proto: foo"),
    (['LABEL a=b "c d"="e f" g'], 'Syntax error - can\'t find = in "g". Must be of the form: name=value'),
    (["LABEL a"], "LABEL must have two arguments"),
    (["LABEL"], "LABEL requires at least one argument"),
    (["ONBUILD FROM x"], "FROM isn't allowed as an ONBUILD trigger"),
    (["ONBUILD ONBUILD RUN x"], "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed"),
    (["ONBUILD MAINTAINER x"], "MAINTAINER isn't allowed as an ONBUILD trigger"),
    (["ONBUILD"], "ONBUILD requires at least one argument"),
    (["USER"], "USER requires exactly one argument"),
    (['VOLUME ["","/e"]'], "VOLUME specified can not be an empty string"),
    (["VOLUME"], "VOLUME requires at least one argument"),
    (["WORKDIR"], "WORKDIR requires exactly one argument"),
    (["STOPSIGNAL FOO"], "invalid signal: FOO"),
    (["STOPSIGNAL"], "STOPSIGNAL requires exactly one argument"),
    (["HEALTHCHECK NONE x"], "HEALTHCHECK NONE takes no arguments"),
    (["HEALTHCHECK --interval=1us CMD a"], 'Interval "interval" cannot be less than 1ms'),
    (["HEALTHCHECK --interval=abc CMD a"], 'time: invalid duration "abc"'),
    (["HEALTHCHECK --retries=-1 CMD a"], "--retries cannot be negative (-1)"),
    (["HEALTHCHECK --foo=1 CMD a"], "unknown flag: --foo"),
    (["HEALTHCHECK CMD"], "Missing command after HEALTHCHECK CMD"),
    (["HEALTHCHECK"], "HEALTHCHECK requires at least one argument"),
    (["HEALTHCHECK FOO bar"], 'Unknown type "FOO" in HEALTHCHECK (try CMD)'),
    (["RUN x"], "RUN is not a valid change command"),
    (["FROM x"], "FROM is not a valid change command"),
    (['SHELL ["a"]'], "SHELL is not a valid change command"),
    (["BOGUS x"], "BOGUS is not a valid change command"),
    ([""], "file with no instructions"),
    (["# comment"], "file with no instructions"),
    (["USER ${x"], 'failed to process "${x": unsupported modifier (�) in substitution'),
    (["USER ${x:?oops}"], 'failed to process "${x:?oops}": x: oops'),
    (["ENV a=b c= d"], 'Syntax error - can\'t find = in "d". Must be of the form: name=value'),
    (
        ['ENV a="unterminated'],
        'failed to process "\\"unterminated": unexpected end of statement while looking for matching double-quote',
    ),
    (["CMD --foo=1 x"], "unknown flag: --foo"),
    (["MAINTAINER x"], "MAINTAINER is not a valid change command"),
]


def changed(lines: list[str], config: RunConfig | None = None) -> dict[str, object]:
    fields: dict[str, object] = msgspec.to_builtins(apply_changes(config or RunConfig(), lines))
    return fields


@pytest.mark.parametrize(("lines", "fields"), ACCEPTED)
def test_instructions_make_what_they_make_in_docker(lines: list[str], fields: dict[str, object]) -> None:
    assert changed(lines) == fields


@pytest.mark.parametrize(("lines", "message"), REFUSED)
def test_wrong_instructions_are_refused_in_dockers_words(lines: list[str], message: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        changed(lines)
    assert str(refused.value) == message


def test_a_new_entrypoint_drops_the_command_that_was_inherited() -> None:
    inherited = RunConfig(cmd=["serve"], entrypoint=["old"])
    assert changed(['ENTRYPOINT ["new"]'], inherited) == {"Entrypoint": ["new"]}
    assert changed(['CMD ["x"]', 'ENTRYPOINT ["new"]'], inherited) == {"Entrypoint": ["new"], "Cmd": ["x"]}


def test_the_shell_of_the_configuration_runs_shell_forms() -> None:
    assert changed(["CMD a"], RunConfig(shell=["/bin/bash", "-c"]))["Cmd"] == ["/bin/bash", "-c", "a"]


def test_what_was_there_is_added_to_and_the_original_left_alone() -> None:
    config = RunConfig(env=["A=1", "B=2"], labels={"l": "1"}, exposed_ports={"90/tcp": {}}, working_dir="/w")
    before = msgspec.json.encode(config)
    assert changed(["ENV A=3", "LABEL m=2", "EXPOSE 80", "WORKDIR sub"], config) == {
        "Env": ["A=3", "B=2"],
        "Labels": {"l": "1", "m": "2"},
        "ExposedPorts": {"80/tcp": {}, "90/tcp": {}},
        "WorkingDir": "/w/sub",
    }
    assert msgspec.json.encode(config) == before


@pytest.mark.parametrize("line", ["EXPOSE ²", "EXPOSE " + "9" * 5000, "STOPSIGNAL ²", "HEALTHCHECK --retries=² CMD x"])
def test_digits_that_are_no_numbers_are_refused(line: str) -> None:
    with pytest.raises(InvalidArgument):
        changed([line])


def test_no_lines_change_nothing() -> None:
    config = RunConfig(user="u")
    assert apply_changes(config, []) is config


def test_lines_are_continued_and_comments_skipped() -> None:
    assert changed(["ENV a=1 \\\n# comment\n\n  b=2", "# CMD x"]) == {"Env": ["a=1", "b=2"]}


@given(st.sampled_from(["ENV", "LABEL", "EXPOSE", "CMD", "VOLUME", "HEALTHCHECK", "WORKDIR", "ONBUILD"]), st.text())
def test_any_text_is_applied_or_refused(keyword: str, text: str) -> None:
    try:
        changed([f"{keyword} {text}"])
    except InvalidArgument:
        pass
