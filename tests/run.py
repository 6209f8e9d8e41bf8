"""
`make test`: every test on SQLite, on PostgreSQL with Valkey and in a browser, then the promises; and what it ran on.

A part that fails does not keep the others from running. Arguments go to each pytest: `python -m tests.run -k offer`.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.chromium import chromium

ROOT = Path(__file__).resolve().parent.parent
COUNTED = ("passed", "failed", "errors", "skipped", "left out")
# Nothing was collected: no part of `make test` may be empty.
NOTHING = 5
OF_THEIR_OWN = ("browser", "proofs")
SEVERAL_AT_ONCE = ["-n", os.environ.get("LIVEDESK_TEST_WORKERS", "2")]
PROOFS = "tests/proofs"
# Those that measure nothing, so that other tests may run beside them.
PLAIN_PROOFS = [
    f"{PROOFS}/test_who_may_what.py",
    f"{PROOFS}/test_who_may_what_swapped.py",
    f"{PROOFS}/test_who_may_what_on_sockets.py",
    f"{PROOFS}/test_bad_input.py",
]
MEASURING_PROOFS = [PROOFS, *(f"--ignore={file}" for file in PLAIN_PROOFS)]
ATTACK = "tests/browser/test_under_attack.py"


def main(arguments):
    started = time.monotonic()
    results = [
        *on_both("", [*folders(), *PLAIN_PROOFS, *SEVERAL_AT_ONCE, *arguments]),
        in_browser(arguments),
        *on_both("The promises on ", [*MEASURING_PROOFS, *arguments]),
    ]
    total = {name: sum(result["counts"].get(name, 0) for result in results) for name in COUNTED}
    for result in results:
        for fault in result.get("faults", []):
            print(f"\n{result['part']}: {fault}")
    print("\nThe tests ran on")
    for result in results:
        versions = ", ".join(f"{name} {version}" for name, version in result["ran_on"].items())
        print(f"  {result['part']}: {counts_text(result['counts'])} in {result['seconds']} s ({versions})")
    has_failed = any(result["code"] for result in results)
    failed = total["failed"] + total["errors"]
    if has_failed and not failed:
        # A part that could not start is a failure, though it counted no test.
        failed = 1
    minutes, seconds = divmod(int(time.monotonic() - started), 60)
    skipped = f", {total['skipped']} skipped" if total["skipped"] else ""
    print(f"{total['passed']} passed, {failed} failed{skipped} in {minutes} min {seconds} s")
    return int(has_failed)


def folders():
    """Where the tests are that need no browser and measure nothing; named, or pytest would leave the proofs out."""
    tests = (file.parent for file in (ROOT / "tests").glob("*/test_*.py") if file.parent.name not in OF_THEIR_OWN)
    return sorted({str(folder.relative_to(ROOT)) for folder in tests})


def in_browser(arguments):
    try:
        browser = chromium()
        version = browser.version
    except Exception as problem:
        print(f"\n== In the browser\n{problem}", flush=True)
        return {
            "part": "In the browser",
            "code": 1,
            "counts": {"errors": 1},
            "ran_on": {"Chromium": "missing"},
            "seconds": 0,
        }
    result = run("In the browser", "sqlite", ["tests/browser", *arguments])
    result["ran_on"]["Chromium"] = version
    return result


def on_both(what, arguments):
    """On each database in turn. What measures runs without SEVERAL_AT_ONCE: it is not to be disturbed by itself."""
    return [
        run(f"{what}SQLite", "sqlite", arguments),
        run(f"{what}PostgreSQL and Valkey", "postgresql", arguments),
    ]


def run(part, kind, arguments):
    """One pytest; its counts come back in a file, written by the plugin."""
    print(f"\n== {part}", flush=True)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="livedesk-counts-") as folder:
        counts = Path(folder) / "counts.json"
        environment = {**os.environ, "LIVEDESK_TEST_ON": kind, "LIVEDESK_TEST_COUNTS": str(counts)}
        command = [sys.executable, "-m", "pytest", "-q", *arguments]
        code = subprocess.run(command, cwd=ROOT, env=environment).returncode
        said = json.loads(counts.read_text(encoding="utf-8")) if counts.exists() else {"counts": {"errors": 1}}
    if code == NOTHING:
        print(f"{part}: no test was found.")
    return {"part": part, "code": code, "ran_on": {}, "seconds": int(time.monotonic() - began), **said}


def counts_text(counts):
    return ", ".join(f"{counts[name]} {name}" for name in COUNTED if counts.get(name)) or "nothing"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
