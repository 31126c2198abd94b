"""How an engine of compare_peers.py finds its best batch width and answers for its passes."""

import json
import sys
import time


def fastest(tries):
    """Of {choice: a pass} the choice whose pass takes the least time, after one that is not timed."""
    next(iter(tries.values()))()
    seconds = {}
    for choice, attempt in tries.items():
        start = time.perf_counter()
        attempt()
        seconds[choice] = time.perf_counter() - start
    return min(seconds, key=seconds.get)


def serve(run, save, facts):
    """Answers the lines of compare_peers.py."""
    print(json.dumps(facts), flush=True)
    for line in sys.stdin:
        word, _, rest = line.strip().partition(" ")
        if word == "run":
            start = time.perf_counter()
            run()
            print(json.dumps({"seconds": time.perf_counter() - start}), flush=True)
        elif word == "save":
            save(rest)
            print("{}", flush=True)
