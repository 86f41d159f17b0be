"""Random names look like Docker's and are free."""

import re

from sampan.engine import names
from sampan.engine.names import ADJECTIVES, SURNAMES, random_name


def test_names_are_an_adjective_and_a_surname() -> None:
    for _ in range(100):
        adjective, surname = random_name().split("_")
        assert adjective in ADJECTIVES
        assert surname in SURNAMES


def test_words_are_words_and_there_are_many() -> None:
    assert all(re.fullmatch(r"[a-z]+", word) for word in ADJECTIVES + SURNAMES)
    assert len(set(ADJECTIVES)) == len(ADJECTIVES) > 100
    assert len(set(SURNAMES)) == len(SURNAMES) > 100


def test_a_taken_name_is_never_given() -> None:
    everything = {f"{adjective}_{surname}" for adjective in ADJECTIVES for surname in SURNAMES}
    name = random_name(everything)
    assert name not in everything
    assert re.fullmatch(r"[a-z]+_[a-z]+\d+", name)
    assert names._name() in everything
