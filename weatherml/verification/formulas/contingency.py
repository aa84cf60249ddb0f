"""Scores of yes-or-no forecasts of an event, from the four ways in which forecast and truth can meet.

A table is `[..., forecast, truth]`, area or number of cases: `[1, 1]` hits, `[1, 0]` false alarms, `[0, 1]` misses,
`[0, 0]` correct negatives. A score is NaN where what it divides by is nothing. Definitions: Wilks 2011, section 8.2.
"""

from typing import Any

Array = Any
"""A numpy or jax array."""


def probability_of_detection(table: Array) -> Array:
    """Return the share of events that were forecast, 0 to 1 (perfect): hit rate, recall."""
    return table[..., 1, 1] / (table[..., 1, 1] + table[..., 0, 1])


def false_alarm_ratio(table: Array) -> Array:
    """Return the share of forecast events that did not come, 0 (perfect) to 1."""
    return table[..., 1, 0] / (table[..., 1, 0] + table[..., 1, 1])


def probability_of_false_detection(table: Array) -> Array:
    """Return the share of non-events that were forecast as events, 0 (perfect) to 1: false alarm rate."""
    return table[..., 1, 0] / (table[..., 1, 0] + table[..., 0, 0])


def critical_success_index(table: Array) -> Array:
    """Return hits over hits, misses and false alarms, 0 to 1 (perfect): threat score."""
    return table[..., 1, 1] / (table[..., 1, 1] + table[..., 0, 1] + table[..., 1, 0])


def equitable_threat_score(table: Array) -> Array:
    """Return the critical success index less hits by chance, -1/3 to 1 (perfect), 0 without skill: Gilbert's score."""
    hits, forecast, events = table[..., 1, 1], table[..., 1, 0] + table[..., 1, 1], table[..., 0, 1] + table[..., 1, 1]
    by_chance = forecast * events / (forecast + table[..., 0, 1] + table[..., 0, 0])
    return (hits - by_chance) / (forecast + events - hits - by_chance)


def frequency_bias(table: Array) -> Array:
    """Return how often the event was forecast over how often it came, 1 where as often."""
    return (table[..., 1, 0] + table[..., 1, 1]) / (table[..., 0, 1] + table[..., 1, 1])


def sedi(table: Array) -> Array:
    """Return the symmetric extremal dependence index, -1 to 1 (perfect), 0 without skill, which rare events leave be.

    Ferro and Stephenson 2011, doi:10.1175/WAF-D-10-05030.1, equation 2 with its logarithms; NaN where hit rate or
    false alarm rate is 0 or 1.
    """
    xp = table.__array_namespace__()
    hit, false = probability_of_detection(table), probability_of_false_detection(table)
    hit_odds, false_odds = xp.log(hit) - xp.log(1 - hit), xp.log(false) - xp.log(1 - false)
    both = xp.log(hit) + xp.log(1 - hit) + xp.log(false) + xp.log(1 - false)
    return (false_odds - hit_odds) / both
