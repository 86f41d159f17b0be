"""JSON is compacted without being changed, and complained about in Go's words."""

import json

import pytest

from sampan.base.jsonsyntax import compact


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b' { "a" : [ 1 , 2.50 , -0, 1e3, 1E-7 ] , "a" : { } }\n', b'{"a":[1,2.50,-0,1e3,1E-7],"a":{}}'),
        (b'"x\\u00e9 < \\" \\\\ y"', b'"x\\u00e9 < \\" \\\\ y"'),
        ('"é ☃"'.encode(), '"é ☃"'.encode()),
        (b"[ true,\tfalse,\r\nnull , [[ ]] ]", b"[true,false,null,[[]]]"),
        (b"0", b"0"),
    ],
)
def test_only_blanks_between_tokens_go(text: bytes, expected: bytes) -> None:
    assert compact(text) == expected
    assert json.loads(expected) == json.loads(text)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "unexpected end of JSON input"),
        ("{", "unexpected end of JSON input"),
        ('"a', "unexpected end of JSON input"),
        ("1.", "unexpected end of JSON input"),
        ("tr", "unexpected end of JSON input"),
        ("{bad", "invalid character 'b' looking for beginning of object key string"),
        ('{"a":1,}', "invalid character '}' looking for beginning of object key string"),
        ("[1,]", "invalid character ']' looking for beginning of value"),
        ("/p", "invalid character '/' looking for beginning of value"),
        ("'a'", r"invalid character '\'' looking for beginning of value"),
        ('{"a" 1}', "invalid character '1' after object key"),
        ('{"a":1 "b"}', "invalid character '\"' after object key:value pair"),
        ("[1 2]", "invalid character '2' after array element"),
        ("{} x", "invalid character 'x' after top-level value"),
        ("01", "invalid character '1' after top-level value"),
        ("nofile", "invalid character 'o' in literal null (expecting 'u')"),
        ("-x", "invalid character 'x' in numeric literal"),
        ("1.x", "invalid character 'x' after decimal point in numeric literal"),
        ("1ex", "invalid character 'x' in exponent of numeric literal"),
        ('"\n"', r"invalid character '\n' in string literal"),
        ('"\x01"', r"invalid character '\x01' in string literal"),
        (r'"\q"', "invalid character 'q' in string escape code"),
        (r'"\u12x4"', r"invalid character 'x' in \u hexadecimal character escape"),
    ],
)
def test_the_complaint_says_what_stands_where(text: str, complaint: str) -> None:
    with pytest.raises(ValueError) as caught:
        compact(text.encode())
    assert str(caught.value) == complaint
