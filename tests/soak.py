"""`make soak`: every proof in tests/proofs at length, on both databases; `make proofs`: briefly. `SEED=` replays."""

import os
import secrets
import sys

from tests.run import ATTACK, PROOFS, counts_text, proofs, run


def main(arguments):
    is_short = "--short" in arguments
    arguments = [argument for argument in arguments if argument != "--short"]
    if not is_short:
        os.environ["LIVEDESK_SOAK"] = "1"
    seed = os.environ.setdefault("SEED", str(secrets.randbelow(2**32)))
    print(f"SEED={seed}", flush=True)
    results = proofs(arguments or [PROOFS])
    if not arguments:
        results.append(run("A browser under attack", "sqlite", [ATTACK]))
    for result in results:
        print(f"{result['part']}: {counts_text(result['counts'])}")
    print(f"make {'proofs' if is_short else 'soak'} SEED={seed} runs it again.")
    return int(any(result["code"] for result in results))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
