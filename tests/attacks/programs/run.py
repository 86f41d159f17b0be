"""Runs one attack inside a container and prints how it ended, as one line of JSON after MARK.

An attack is a function of the modules beside this one. It returns what it got hold of, in words; OSError or `Failed`
means that it was stopped. Anything else is a mistake in the attack, and its verdict is neither.
"""

import json
import sys
import traceback

MARK = "VERDICT "


class Failed(Exception):
    """The attack was stopped, by something other than an error of a system call."""


def main(argv):
    """argv: module.function, then its keyword arguments as a JSON object."""
    sys.path.insert(0, "/attacks")  # with -I the folder of the script is not on it
    module, _, function = argv[0].partition(".")
    sys.modules.setdefault("run", sys.modules["__main__"])
    arguments = json.loads(argv[1]) if len(argv) > 1 else {}
    try:
        detail = getattr(__import__(module), function)(**arguments)
        verdict = {"outcome": "succeeded", "detail": str(detail)}
    except (OSError, Failed) as error:
        verdict = {"outcome": "failed", "detail": f"{type(error).__name__}: {error}"}
    except Exception:
        verdict = {"outcome": "broken", "detail": traceback.format_exc()}
    print(f"\n{MARK}{json.dumps(verdict)}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
