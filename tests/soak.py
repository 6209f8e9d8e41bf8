"""`make soak`: every proof at length, on both databases; `make proofs`: briefly. `SEED=` replays."""

import os
import secrets
import sys

from tests.run import ATTACK, MEASURING_PROOFS, PLAIN_PROOFS, SEVERAL_AT_ONCE, counts_text, on_both, run

# What stands beside the other tests of its subject, and proves a promise too.
ELSEWHERE = [
    "tests/live/test_rights.py",
    "tests/live/test_production_headers.py",
    "tests/pages/test_sign_in.py",
    "tests/pages/test_security_headers.py",
]
# A proof that talks for minutes needs more than a test is given.
LONG_SECONDS = 1_800


def main(arguments):
    is_short = "--short" in arguments
    chosen = [argument for argument in arguments if argument != "--short"]
    seed = os.environ.setdefault("SEED", str(secrets.randbelow(2**32)))
    print(f"SEED={seed}", flush=True)
    options = [f"--randomly-seed={seed}"]  # the order of the tests, too
    if not is_short:
        os.environ["LIVEDESK_SOAK"] = "1"
        options += ["--timeout", str(LONG_SECONDS)]
    if chosen:
        results = on_both("Chosen promises on ", [*chosen, *options])
    else:
        results = [
            *on_both("The promises that measure nothing on ", [*PLAIN_PROOFS, *ELSEWHERE, *SEVERAL_AT_ONCE, *options]),
            run("A browser under attack", "sqlite", [ATTACK, *options]),
            *on_both("The promises on ", [*MEASURING_PROOFS, *options]),
        ]
    for result in results:
        print(f"{result['part']}: {counts_text(result['counts'])} in {result['seconds']} s")
    print(f"make {'proofs' if is_short else 'soak'} SEED={seed} runs it again.")
    return int(any(result["code"] for result in results))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
