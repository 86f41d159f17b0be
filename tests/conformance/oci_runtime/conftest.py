"""Which runtimes the suite asks: `sampan-runtime`, and a runc where one is installed.

SAMPAN_TEST_RUNTIME=/path/of/a/runtime[:...]    asks these instead
"""

import os
import sys
from collections.abc import Iterator

import pytest

from support.ociruntime import Lab, stand_in

OURS = f"{os.path.dirname(sys.executable)}/sampan-runtime"


def _programs() -> list[str]:
    named = os.environ.get("SAMPAN_TEST_RUNTIME", "")
    return named.split(":") if named else [OURS, *filter(None, [stand_in("runc")])]


@pytest.fixture(params=_programs(), ids=os.path.basename)
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """A bundle and a runtime to run it; at the end nothing of it may be left."""
    found = Lab(request.param)
    yield found
    found.close()
