import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampan import errors
from sampan.oci.reference import Reference, parse_reference

DIGEST = "sha256:" + "ab" * 32


@pytest.mark.parametrize(
    ("text", "full", "familiar"),
    [
        ("busybox", "docker.io/library/busybox", "busybox"),
        ("busybox:1", "docker.io/library/busybox:1", "busybox:1"),
        ("me/tool", "docker.io/me/tool", "me/tool"),
        ("docker.io/busybox", "docker.io/library/busybox", "busybox"),
        ("index.docker.io/a/b", "docker.io/a/b", "a/b"),
        ("library/a/b", "docker.io/library/a/b", "library/a/b"),
        ("localhost/a", "localhost/a", "localhost/a"),
        ("localhost:5000/a:2", "localhost:5000/a:2", "localhost:5000/a:2"),
        ("quay.io/a/b_c/d__e:T-1.x", "quay.io/a/b_c/d__e:T-1.x", "quay.io/a/b_c/d__e:T-1.x"),
        ("Upper/a", "Upper/a", "Upper/a"),
        ("[::1]:5000/a", "[::1]:5000/a", "[::1]:5000/a"),
        (f"a@{DIGEST}", f"docker.io/library/a@{DIGEST}", f"a@{DIGEST}"),
        (f"a:1@{DIGEST}", f"docker.io/library/a:1@{DIGEST}", f"a:1@{DIGEST}"),
    ],
)
def test_a_reference_has_a_full_and_a_familiar_form(text: str, full: str, familiar: str) -> None:
    reference = parse_reference(text)
    assert (str(reference), reference.familiar) == (full, familiar)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "invalid reference format"),
        (":x", "invalid reference format"),
        ("a:b:c", "invalid reference format"),
        ("a/", "invalid reference format"),
        ("a b", "invalid reference format"),
        ("-a", "invalid reference format"),
        ("a:" + "t" * 129, "invalid reference format"),
        ("a\n", "invalid reference format"),
        ("UPPER:x", r"invalid reference format: repository name \(library/UPPER\) must be lowercase"),
        ("0" * 64, r"invalid repository name \(0{64}\), cannot specify 64-byte hexadecimal strings"),
        ("a" * 256, "must not be more than 255 characters"),
        ("a@sha256:" + "ab" * 16, "invalid checksum digest length"),
        ("a@md5:" + "ab" * 16, "unsupported digest algorithm"),
    ],
)
def test_a_bad_reference_is_refused_in_dockers_words(text: str, message: str) -> None:
    with pytest.raises(errors.InvalidArgument, match=message):
        parse_reference(text)


def test_only_a_bare_name_gets_the_default_tag() -> None:
    assert str(parse_reference("a").with_default_tag()) == "docker.io/library/a:latest"
    assert str(parse_reference("a:1").with_default_tag()) == "docker.io/library/a:1"
    assert str(parse_reference(f"a@{DIGEST}").with_default_tag()) == f"docker.io/library/a@{DIGEST}"


def test_a_tag_given_apart_is_checked() -> None:
    assert parse_reference("a:1").with_tag("2").familiar == "a:2"
    with pytest.raises(errors.InvalidArgument, match="invalid tag format"):
        parse_reference("a").with_tag("a/b")


pieces = st.from_regex(r"[a-z0-9]{1,8}((\.|_|__|-{1,3})[a-z0-9]{1,5}){0,2}", fullmatch=True)
domains = st.one_of(
    st.just("docker.io"), st.just("localhost"), st.from_regex(r"[a-z]{1,8}\.[a-z]{2,3}(:[0-9]{1,5})?", fullmatch=True)
)
tags = st.one_of(st.just(""), st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True))
references = st.builds(
    lambda domain, path, tag, digest: Reference(domain, "/".join(path), tag=tag, digest=digest),
    domains,
    st.lists(pieces, min_size=2, max_size=4),
    tags,
    st.sampled_from(["", DIGEST]),
)


def is_ambiguous(reference: Reference) -> bool:
    """Docker shortens docker.io/a.b/c to a.b/c, which means another registry."""
    first = reference.path.partition("/")[0]
    return reference.domain == "docker.io" and ("." in first or first == "localhost")


@given(references.filter(lambda reference: not is_ambiguous(reference)))
def test_both_forms_of_a_reference_parse_to_itself(reference: Reference) -> None:
    assert parse_reference(str(reference)) == reference
    assert parse_reference(reference.familiar) == reference
    assert hash(parse_reference(reference.familiar)) == hash(reference)


@given(st.text(max_size=40))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        reference = parse_reference(text)
    except errors.InvalidArgument:
        return
    assert ".." not in str(reference).split("/")
    assert parse_reference(str(reference)) == reference
