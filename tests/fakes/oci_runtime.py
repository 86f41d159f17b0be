"""A runtime with runc's command line that makes no containers: plain processes, and faults on demand. No root needed.

Layout      <folder>/runtime             the program, a shell script
            <folder>/{init,exec}         what a container, an exec runs: shell scripts
            <folder>/fail-<verb>         if it is there, the verb fails with its text as the error
            <folder>/hang-<verb>         if it is there, the verb does not come back
            <folder>/calls               one line for each call: the words from the verb on
State       --root/<id>/{pid, gate}: created processes wait at the FIFO `gate` until `start` opens it.
"""

import os
from pathlib import Path
from typing import Any

_SCRIPT = """#!/bin/sh
here=${0%/*}
while :; do case $1 in
    --root) root=$2; shift 2;;
    --log) log=$2; shift 2;;
    --log-format) shift 2;;
    --own) shift;;
    *) break;;
esac; done
echo "$*" >>"$here/calls"
verb=$1; shift
exec 3<&0  # what runs in the background of a shell has no other way to its standard input
pidfile= process= tail=
while :; do case $1 in
    --bundle) shift 2;;
    --pid-file) pidfile=$2; shift 2;;
    --process) process=$2; shift 2;;
    --console-socket) shift 2;;
    --*) shift;;
    *) break;;
esac; done
id=$1; state=$root/$id
if [ -e "$here/hang-$verb" ]; then exec sleep 60; fi
if [ -e "$here/fail-$verb" ]; then
    echo '{"level":"warning","msg":"not this one"}' >>"$log"
    echo '{"level":"error","msg":"'"$(cat "$here/fail-$verb")"'"}' >>"$log"
    exit 1
fi
case $verb in
create)
    mkdir -p "$state" && mkfifo "$state/gate"
    sh -c 'read -r go <"$0/gate" && exec sh "$1"' "$state" "$here/init" <&3 3<&- &
    echo $! >"$state/pid"; echo $! >"$pidfile";;
start) echo go >"$state/gate";;
kill) kill -s "$2" "$(cat "$state/pid")";;
exec) sh "$here/exec" "$process" <&3 3<&- & echo $! >"$pidfile";;
pause|resume) touch "$root/$verb";;
delete) [ -d "$state" ] && kill -9 "$(cat "$state/pid")" 2>/dev/null; rm -rf "$state";;
*) exit 3;;
esac
exit 0
"""


class OciRuntime:
    """One such program in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.path = folder / "runtime"
        self.path.write_text(_SCRIPT)
        os.chmod(self.path, 0o755)
        self.program("init", "exit 0")
        self.program("exec", "exit 0")

    @property
    def setting(self) -> dict[str, Any]:
        """What a shim is told of it."""
        return {"path": str(self.path), "args": ["--own"]}

    def program(self, name: str, text: str) -> None:
        """What `init` or `exec` does."""
        (self.folder / name).write_text(f"{text}\n")

    def fail(self, verb: str, text: str) -> None:
        (self.folder / f"fail-{verb}").write_text(text)

    def hang(self, verb: str) -> None:
        (self.folder / f"hang-{verb}").touch()

    def calls(self) -> list[list[str]]:
        """The words of each call, the global options left out."""
        path = self.folder / "calls"
        return [line.split() for line in path.read_text().splitlines()] if path.exists() else []

    def verbs(self) -> list[str]:
        return [words[0] for words in self.calls()]
