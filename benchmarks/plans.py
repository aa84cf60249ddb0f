"""Plans of hierarchical temporal aggregation: calls, depth and memory, against the greedy rule and against no sharing.

python benchmarks/plans.py
"""

from weatherml.forecast.plan.lead_plan import plan

HOURLY = range(1, 169)
CASES = [
    ((24, 6, 3, 1), HOURLY, "hourly to 168 h"),
    ((24, 6), range(6, 361, 6), "6-hourly to 360 h"),
    ((6,), range(6, 361, 6), "6-hourly to 360 h"),
    ((24, 6, 1), (1, 7, 25, 100, 131), "1, 7, 25, 100, 131 h"),
    ((9, 6, 4), (12, 17, 20, 22, 24), "12, 17, 20, 22, 24 h"),
    ((10, 7, 1), (14, 21, 28, 35), "14, 21, 28, 35 h"),
]


def main():
    print("| steps | leads | calls, by step | calls without sharing | most steps to a lead | greedy | states at once |")
    print("|---|---|---|---|---|---|---|")
    for steps, leads, name in CASES:
        made = plan(steps, leads)
        depth = max(len(made.path(lead)) for lead in leads)
        by_step = " + ".join(f"{n} of {step} h" for step, n in made.n_calls.items())
        alone = sum(len(made.path(lead)) for lead in leads)
        cells = [" + ".join(map(str, steps)) + " h", name, f"{len(made.calls)}: {by_step}", alone, depth]
        print(f"| {' | '.join(map(str, cells))} | {most_greedy(steps, leads)} | {made.peak_states} |")


def most_greedy(steps, leads):
    """The most steps to a lead by the longest step that still fits; how many leads it does not reach."""
    counts = [greedy(steps, lead) for lead in leads]
    missed = counts.count(None)
    reached = max((count for count in counts if count is not None), default=0)
    return f"{reached}, and misses {missed} of {len(counts)} leads" if missed else str(reached)


def greedy(steps, lead):
    count = 0
    for step in sorted(steps, reverse=True):
        count, lead = count + lead // step, lead % step
    return None if lead else count


if __name__ == "__main__":
    main()
