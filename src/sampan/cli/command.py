"""What a command is: its words, its flags, and the function that runs it.

Layout      Command is the row each command module defines as COMMAND. Context is what `run` gets beside the parsed
            flags: the engine, made on first use.
"""

from __future__ import annotations

import sys

from sampan.errors import Error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sampan.cli.flags import Parsed, Row
    from sampan.client.engine import Engine

    Run = Callable[["Context", Parsed], int]
    Act = Callable[[Engine, str], object]

MANY = 1 << 30
MOST_AT_ONCE = 32


class Note:
    """What an `act` of for_each returns to have `text` said on stderr, instead of its name on stdout."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


class Failure(Error):
    """The command ends with `exit_code`; an empty message prints nothing more."""

    def __init__(self, message: str, *, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class Command:
    """`least` and `most` bound the number of arguments; `see` is docker's wording where these are exceeded."""

    __slots__ = ("aliases", "flags", "least", "most", "run", "stops_at_argument", "summary", "usage")

    def __init__(
        self,
        usage: str,
        summary: str,
        *,
        run: Run,
        flags: Sequence[Row] = (),
        aliases: Sequence[str] = (),
        least: int = 0,
        most: int = MANY,
        stops_at_argument: bool = False,
    ) -> None:
        self.usage = usage
        self.summary = summary
        self.run = run
        self.flags = flags
        self.aliases = aliases
        self.least = least
        self.most = most
        self.stops_at_argument = stops_at_argument


class Context:
    __slots__ = ("_engine", "_make_engine", "path")

    def __init__(self, path: str, make_engine: Callable[[], Engine]) -> None:
        self.path = path
        self._make_engine = make_engine
        self._engine: Engine | None = None

    @property
    def engine(self) -> Engine:
        if self._engine is None:
            self._engine = self._make_engine()
        return self._engine

    def close(self) -> None:
        if self._engine is not None:
            self._engine.close()

    def new_engine(self) -> Engine:
        """A second one, for requests beside one that has the connection (signals, resizes)."""
        fresh = self._make_engine()
        fresh.api_version = self.engine.api_version
        fresh.is_negotiated = True
        return fresh


def write_error(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def for_each(context: Context, names: Sequence[str], act: Act) -> int:
    """Do `act` for every name at once, print those that worked in order; errors follow and make the exit code 1.

    At once, since one container's ten seconds to stop must not be the next one's wait.
    """
    outcomes: dict[str, Error | Note | str] = dict.fromkeys(names, "")
    if len(outcomes) == 1:
        _try(act, context.engine, names[0], outcomes)
    else:
        _try_all(context, act, outcomes)
    for name in names:
        outcome = outcomes[name]
        if isinstance(outcome, Note):
            write_error(outcome.text)
        elif isinstance(outcome, str):
            sys.stdout.write(outcome + "\n")
    sys.stdout.flush()
    failures = [str(outcome) for outcome in outcomes.values() if isinstance(outcome, Error)]
    if failures:
        raise Failure("\n".join(failures))
    return 0


def _try(act: Act, engine: Engine, name: str, outcomes: dict[str, Error | Note | str]) -> None:
    try:
        result = act(engine, name)
        outcomes[name] = result if isinstance(result, Note) else name
    except Error as failure:
        outcomes[name] = failure


def _try_all(context: Context, act: Act, outcomes: dict[str, Error | Note | str]) -> None:
    import _thread

    context.engine.negotiate()
    queue = list(reversed(outcomes))

    def work(done: _thread.LockType) -> None:
        try:
            with context.new_engine() as engine:
                while queue:
                    _try(act, engine, queue.pop(), outcomes)
        except IndexError:
            # Another worker took the last name between our look and our pop.
            return
        finally:
            done.release()

    workers = []
    for _ in range(min(MOST_AT_ONCE, len(outcomes))):
        done = _thread.allocate_lock()
        done.acquire()
        workers.append(done)
        _thread.start_new_thread(work, (done,))
    for done in workers:
        done.acquire()
