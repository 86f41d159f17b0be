"""Containers that come and go from several threads while the engine is killed under them.

Each container's name tells what its exit code must be, so that an engine which forgot can be found out:
churn-<number>-<code>. A stop makes it end with STOPPED instead, where the signal met its trap.
"""

import http.client
import random
import threading
import time

from support.api import Api, Refused
from support.waiting import eventually

STOPPED = 77
THREADS = 4
NAME_PREFIX = "churn-"
LIFE = "trap 'exit %d' TERM; i=0; while [ $i -lt %d ]; do sleep 0.02; i=$((i+1)); done; exit %d"


def expected_code(name: str) -> int:
    """What the container of this name ends with when nobody stops it."""
    return int(name.rsplit("-", 1)[1])


class Churn:
    """`also`: exit codes that are right for any of them, because they are killed on purpose.

    `with Churn(api, image, count=50, chance=random.Random(1)) as churn: ...; churn.wait_done()`.
    """

    def __init__(
        self, api: Api, image: str, *, count: int, chance: random.Random, also: frozenset[int] = frozenset()
    ) -> None:
        self.api, self.image, self.also = api, image, also
        self.plan = [(i, 1 + chance.randrange(70), chance.randrange(1, 12), chance.randrange(3)) for i in range(count)]
        self.total = count
        self.begun = 0
        self.acknowledged: set[str] = set()
        self.errors: list[str] = []
        self.wrong: list[str] = []
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self._work) for _ in range(THREADS)]

    def __enter__(self) -> "Churn":
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self.lock:
            self.plan.clear()
        for thread in self.threads:
            thread.join()

    def is_done(self) -> bool:
        """Whether all were tried."""
        return not any(thread.is_alive() for thread in self.threads)

    def allowed(self, name: str) -> set[int]:
        """Exit codes that are right for the container of this name."""
        return {expected_code(name), STOPPED} | self.also

    def wait_begun(self, count: int, timeout_s: float = 60) -> None:
        """Wait until so many have been tried, or all."""
        eventually(lambda: self.begun >= count or self.is_done(), timeout_s)

    def wait_done(self, timeout_s: float = 120) -> None:
        """Wait until all were tried."""
        eventually(self.is_done, timeout_s, "the churn does not come to its end")

    def _work(self) -> None:
        while True:
            with self.lock:
                if not self.plan:
                    return
                number, code, steps, ending = self.plan.pop()
                self.begun += 1
            try:
                self._one(f"{NAME_PREFIX}{number}-{code}", code, steps, ending)
            except (OSError, http.client.HTTPException, Refused) as error:
                with self.lock:
                    self.errors.append(f"{type(error).__name__}: {error}")
                time.sleep(0.05)  # the engine is away; the plan must not run dry against a closed socket
                eventually(self.api.is_up, 60, "the engine does not come back")

    def _one(self, name: str, code: int, steps: int, ending: int) -> None:
        made = self.api.create(self.image, "sh", "-c", LIFE % (STOPPED, steps, code), name=name)
        self.api.start(made)
        with self.lock:
            self.acknowledged.add(name)
        if ending == 0:
            seen = self.api.wait(made)
            if seen not in self.allowed(name):
                self.wrong.append(f"{name}: wait says {seen}")
            self.api.remove(made)
        elif ending == 1:
            self.api("POST", f"/containers/{made}/stop", t=10)


def check_endings(api: Api, churn: Churn) -> None:
    """Every container that the engine knows ended as its name says; then remove them all.

    A start that was not acknowledged may have come to nothing, or to anything.
    """
    wrong = churn.wrong
    for entry in api("GET", "/containers/json", all=1, filters={"name": [NAME_PREFIX]}):
        name = entry["Names"][0].removeprefix("/")
        if api.inspect(name)["State"]["Status"] == "running":
            api.wait(name)
        state = api.inspect(name)["State"]
        is_right = state["Status"] == "exited" and state["ExitCode"] in churn.allowed(name)
        if not is_right and name in churn.acknowledged:
            wrong.append(f"{name}: {state}")
        api.remove(name)
    assert churn.begun == churn.total and churn.acknowledged, churn.errors
    assert not wrong, "\n".join(wrong)
