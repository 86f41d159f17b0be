from sampan import __version__
from sampan.runtime.command import help as help_text
from sampan.runtime.command.main import VERBS
from sampan.runtime.command.options import Command, number, switch, text


def test_the_version_begins_as_runcs_does() -> None:
    name, spec, *_ = help_text.version().splitlines()
    assert name == f"sampan-runtime version {__version__}"
    assert spec == "spec: 1.2.1"


def test_docker_finds_our_version_at_the_end() -> None:
    lines = [line for line in help_text.version().splitlines() if "version" in line]
    assert [line.split("version")[-1].strip() for line in lines] == [__version__] * len(lines)


def test_who_knows_crun_finds_its_words() -> None:
    assert "crun version" in help_text.version()
    assert help_text.version().splitlines()[-1].startswith("+SYSTEMD ")


def test_the_program_lists_every_verb() -> None:
    listed = help_text.of_program()
    assert all(f"\n   {verb} " in listed for verb in VERBS)


def test_flags_stand_in_two_columns_with_their_defaults() -> None:
    flags = (switch("force f", "without mercy"), text("bundle b", "the bundle", "DIR", "."), number("n", "how many"))
    shown = help_text.of_command(Command("x", "CONTAINER", "do x", flags, notes="More of it."))
    assert "NAME:\n   sampan-runtime x - do x\n" in shown
    assert "Usage: crun [OPTION...] x CONTAINER\n" in shown
    assert "DESCRIPTION:\n   More of it.\n" in shown
    assert (
        "   --force, -f       without mercy\n"
        "   --bundle, -b DIR  the bundle (default: .)\n"
        "   -n N              how many\n"
        "   --help, -h        print this\n"
    ) in shown
