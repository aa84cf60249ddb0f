"""The picture of a training."""

import numpy as np
import pytest

from weatherml import plot
from weatherml.errors import UserError


def entries_of(losses, **more):
    return [
        {"step": 10 * n, "stage": 1, "loss": loss, "validation_loss": None, **more} for n, loss in enumerate(losses, 1)
    ]


@pytest.mark.parametrize("last", [0.97, 0.7, 0.3, 0.05, 1e-3, 1e-6])
def test_losses_of_any_range_have_three_plain_numbers_or_more(paint, last):
    figure = plot.learning(entries_of(np.geomspace(0.9, 0.9 * last, 8)))
    paint(figure)
    ax = figure.axes[0]
    low, high = ax.get_ylim()
    shown = [label.get_text() for label in ax.get_yticklabels(which="both") if label.get_text()]
    values = [float(text) for text in shown]
    assert len(values) >= 3 and all(low <= value <= high for value in values)
    assert all("$" not in text for text in shown)


def test_one_entry_is_seen():
    (line,) = plot.learning(entries_of([0.4])).axes[0].lines
    assert line.get_marker() == "o"


def test_another_stage_is_marked_where_it_begins():
    entries = [*entries_of([0.9, 0.5]), {"step": 30, "stage": 2, "loss": 0.8}]
    ax = plot.learning(entries).axes[0]
    assert [text.get_text() for text in ax.texts] == ["stage 2"]
    assert ax.texts[0].xy[0] == 20


def test_a_training_without_entries_is_refused():
    with pytest.raises(UserError, match="train first"):
        plot.learning([])
