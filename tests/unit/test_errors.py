import inspect

import pytest

from sampan import errors

CLASSES = [found for _, found in inspect.getmembers(errors, inspect.isclass)]


def test_every_failure_is_an_error_and_no_other_exception() -> None:
    assert len(CLASSES) == 14
    assert all(issubclass(found, errors.Error) for found in CLASSES)
    assert not issubclass(errors.Error, (OSError, ValueError, LookupError))


def test_the_docstring_lists_exactly_the_classes_that_there_are() -> None:
    listed = {word for line in (errors.__doc__ or "").splitlines() for word in line.split() if word[0].isupper()}
    assert {found.__name__ for found in CLASSES} <= listed


@pytest.mark.parametrize(
    ("special", "general"), [(errors.AlreadyExists, errors.Conflict), (errors.StartFailed, errors.Internal)]
)
def test_a_special_case_is_caught_with_its_general_one(
    special: type[errors.Error], general: type[errors.Error]
) -> None:
    assert issubclass(special, general)


def test_the_text_of_an_error_is_its_message_alone() -> None:
    assert str(errors.NotFound("No such container: x")) == "No such container: x"
    assert str(errors.StartFailed("exec: not found", exit_code=127)) == "exec: not found"


def test_a_failed_start_knows_its_exit_code() -> None:
    assert errors.StartFailed("x", exit_code=126).exit_code == 126
