"""How well the gates judge: caught and false alarms per gate, on music they were tuned on and on music they were not.

Half of the found pieces and the even seeds served for tuning; the other half reports. `ARGS=--quick` takes a tenth.
"""

from __future__ import annotations

import sys
import time
from itertools import chain

from tests.music import found, judge
from tests.music.injections import INJECTIONS


def main() -> None:
    step = 10 if "--quick" in sys.argv else 1
    pieces = found.pieces()
    parts = {
        "tuned on": (pieces[0::2], range(0, 8, 2), range(0, 40, 2)),
        "held out": (pieces[1::2], range(1, 9, 2), range(1, 41, 2)),
    }
    for name, (paths, seeds, numbers) in parts.items():
        started = time.perf_counter()
        clips = chain(
            judge.excerpts(paths[::step]),
            judge.made(seeds if step == 1 else seeds[:1]),
            judge.previewed(numbers[::step]),
        )
        verdict = judge.judge(clips, every=1 if step == 1 else 3)
        print(f"\n{name}: {verdict.clips} clips, {time.perf_counter() - started:.0f} s")
        print(f"called defective by any gate: {len(verdict.falsely_called)} ({verdict.false_share:.1%})")
        for clip, gates in verdict.falsely_called.items():
            print(f"    {clip}: {', '.join(gates)}")
        print(f"{'gate':20s} {'caught':>8s} {'tried':>6s} {'false':>6s}")
        for gate in INJECTIONS:
            false = sum(gate in gates for gates in verdict.falsely_called.values())
            print(f"{gate:20s} {verdict.caught_share(gate):8.1%} {verdict.tried.get(gate, 0):6d} {false:6d}")
            if verdict.missed.get(gate):
                print(f"    missed: {', '.join(verdict.missed[gate][:12])}")


if __name__ == "__main__":
    main()
