"""Vectors checked against docker 28's own --format on inspect output."""

import pytest

from sampan.cli.template.evaluate import Template
from sampan.errors import InvalidArgument

VALUE = {
    "Name": "/web",
    "Id": "ab" * 32,
    "Args": ["a", "b"],
    "Env": None,
    "State": {"Status": "running", "Pid": 5, "Running": True, "Dead": False, "Error": ""},
    "Labels": {"b": "2", "a": "1"},
    "Ports": {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}], "90/udp": None},
    "Score": 1.5,
    "Config": {"Cmd": ["sh", "-c"], "Env": None},
}


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("plain", "plain"),
        ("{{.Name}}", "/web"),
        ("{{ .State.Status }}!", "running!"),
        ("{{.Args}} {{.Labels}} {{.Score}} {{.State.Running}}", "[a b] map[a:1 b:2] 1.5 true"),
        ("{{.Config.Env}}|{{json .Config.Env}}", "[]|null"),
        ("{{.Labels.zz}}", "<no value>"),
        ("{{len .Id}} {{len .Args}} {{len .Labels}}", "64 2 2"),
        ('{{index .Args 1}} {{index .Labels "a"}} {{index .Labels "zz"}}', "b 1 <no value>"),
        ('{{(index (index .Ports "80/tcp") 0).HostPort}}', "8080"),
        ("{{range .Args}}<{{.}}>{{end}}", "<a><b>"),
        ("{{range $i, $v := .Args}}{{$i}}={{$v}} {{end}}", "0=a 1=b "),
        ("{{range $k, $v := .Labels}}{{$k}}={{$v}} {{end}}", "a=1 b=2 "),
        ("{{range $k := .Labels}}{{$k}} {{end}}", "1 2 "),
        ("{{range .Env}}x{{else}}none{{end}}", "none"),
        ('{{range .Args}}{{if eq . "b"}}{{break}}{{end}}{{.}}{{end}}', "a"),
        ('{{range .Args}}{{if eq . "a"}}{{continue}}{{end}}{{.}}{{end}}', "b"),
        ('{{if eq .State.Status "exited" "running"}}up{{else}}down{{end}}', "up"),
        ("{{if .State.Error}}bad{{else if .State.Dead}}dead{{else}}fine{{end}}", "fine"),
        ("{{with .State}}{{.Pid}}{{end}}{{with .Env}}x{{else}}-{{end}}", "5-"),
        ("{{with $x := .State.Pid}}{{$x}}{{end}}", "5"),
        ("{{$x := 1}}{{if true}}{{$x = 2}}{{end}}{{$x}}", "2"),
        ("{{$.Name}}{{range .Args}}{{$.State.Pid}}{{end}}", "/web55"),
        ('{{.Name | upper | printf "%s!"}}', "/WEB!"),
        (
            '{{printf "%-6s|%3d|%q|%v|%t|%05.1f|%x%%" .Name 5 .Name .Args true 1.5 255}}',
            '/web  |  5|"/web"|[a b]|true|001.5|ff%',
        ),
        ('{{join .Args ","}} {{split "a-b" "-"}} {{title "ab cd"}}', "a,b [a b] Ab Cd"),
        ('{{pad "x" 1 2}}|{{truncate "abcdef" 3}}|{{lower "AB"}}', " x  |abc|ab"),
        ("{{println .Name}}", "/web\n"),
        ('{{print 1 2 "a" "b" 3}}', "1 2a b3".replace(" b", "b")),
        ("{{json .Labels}} {{json .Name}} {{json .Args}}", '{"b":"2","a":"1"} "/web" ["a","b"]'),
        ("{{and .Name .Args}} {{or .State.Error .Name}} {{not .Name}}", "[a b] /web false"),
        ('{{lt 1 2}} {{ge 2 2}} {{ne "a" "b"}} {{gt 1 2}} {{le 1 0}}', "true true true false false"),
        ('{{slice "abcdef" 1 3}} {{slice .Args 1}}', "bc [b]"),
        ("a {{- /* gone */ -}} b", "ab"),
        ("a {{- 1 -}} b", "a1b"),
        ('{{"quoted }} \\n"}}{{`raw \\n`}}', "quoted }} \nraw \\n"),
        ("{{'a'}} {{0x10}} {{-3}} {{true}} {{1.50}}", "97 16 -3 true 1.5"),
        ('{{define "t"}}<{{.}}>{{end}}{{template "t" .Name}}', "</web>"),
        ('{{block "t" .State}}{{.Pid}}{{end}}', "5"),
    ],
)
def test_a_template_makes_its_text(source: str, text: str) -> None:
    assert Template(source).render(VALUE) == text


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{{.Name", "template: :1: unclosed action"),
        ('{{"abc}}', "template: :1: unterminated quoted string"),
        ("{{if .Name}}", "template: :1: unexpected EOF"),
        ("{{end}}", "template: :1: unexpected {{end}}"),
        ("{{nofunc .}}", 'template: :1: function "nofunc" not defined'),
        ("{{}}", "template: :1: missing value for command"),
        ("{{if}}x{{end}}", "template: :1: missing value for if"),
        ("{{(.Name}}", "template: :1: unclosed left paren"),
    ],
)
def test_a_template_that_does_not_parse_is_refused(source: str, message: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        Template(source)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{{.Foo}}", 'template: :1:2: executing "" at <.Foo>: map has no entry for key "Foo"'),
        (
            "{{.State.Health.Status}}",
            'template: :1:8: executing "" at <.State.Health.Status>: map has no entry for key "Health"',
        ),
        (
            "{{index .Args 7}}",
            'template: :1:2: executing "" at <index .Args 7>: error calling index: index out of range: 7',
        ),
        ("{{len 5}}", 'template: :1:2: executing "" at <len 5>: error calling len: len of type int'),
        ("{{$nope}}", 'template: :1: undefined variable "$nope"'),
        ('{{lt 1 "a"}}', 'template: :1:2: executing "" at <lt 1 "a">: incompatible types for comparison'),
    ],
)
def test_a_template_that_does_not_fit_the_value_is_refused(source: str, message: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        Template(source).render(VALUE)
    assert str(caught.value) == message
