import hashlib

import pytest

from sampan import errors
from sampan.oci.digest import algorithm_of, chain_ids, check_digest, digest_of, hex_of, is_digest, short

GOOD = "sha256:" + "0a" * 32


def test_a_digest_has_an_algorithm_and_hexadecimal_digits() -> None:
    assert check_digest(GOOD) == GOOD
    assert (algorithm_of(GOOD), hex_of(GOOD), short(GOOD)) == ("sha256", "0a" * 32, "0a" * 6)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "format"),
        ("sha256", "format"),
        ("sha256:", "format"),
        ("sha256:" + "0A" * 32, "format"),
        ("sha256:" + "../" * 21 + "a", "format"),
        ("sha256:" + "0a" * 31, "length"),
        ("md5:" + "0a" * 16, "algorithm"),
        (GOOD + "\n", "format"),
    ],
)
def test_what_is_no_digest_is_refused(text: str, message: str) -> None:
    assert not is_digest(text)
    with pytest.raises(errors.InvalidArgument, match=message):
        check_digest(text)


def test_a_digest_of_bytes_is_their_hash() -> None:
    assert digest_of(b"x") == "sha256:" + hashlib.sha256(b"x").hexdigest()
    assert digest_of(b"x", "sha512") == "sha512:" + hashlib.sha512(b"x").hexdigest()


def test_the_first_chain_id_is_the_diff_id_and_each_other_hashes_the_one_before() -> None:
    one, two, three = (digest_of(text) for text in (b"1", b"2", b"3"))
    second = digest_of(f"{one} {two}".encode())
    assert chain_ids([one, two, three]) == [one, second, digest_of(f"{second} {three}".encode())]
    assert chain_ids([]) == []
