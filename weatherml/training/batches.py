"""What a training draws of its data, stage by stage."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import numpy as np

from weatherml.data.loading.loader import Loader, Spell, total
from weatherml.data.loading.order import Order
from weatherml.data.loading.room import require_room
from weatherml.data.loading.samples import Batch, Samples
from weatherml.errors import UserError
from weatherml.parallel import Layout
from weatherml.training.config import TrainingConfig
from weatherml.training.curriculum.stages import stage_index
from weatherml.training.recovery.non_finite import Drawn
from weatherml.training.recovery.snapshots import Cursor

T = TypeVar("T")


class Batches:
    """The batches of all stages; those of one are made ahead at a time.

    Args:
        config: Of the training.
        samples: To learn from.
        layouts: Where batches lie in each stage.
        in_use: Bytes of a batch of this process that lies so and is used meanwhile, a validation's.

    Attributes:
        stage: Position of the stage from which batches come.

    Raises:
        UserError: A stage has too few samples, or more in a batch than memory holds: said now, not after hours of the
            stages before it.
    """

    def __init__(
        self, config: TrainingConfig, samples: Samples, layouts: Sequence[Layout], in_use: Callable[[Layout], int]
    ) -> None:
        self._config, self._samples, self._layouts, self._in_use = config, samples, layouts, in_use
        self._spells: list[Spell] = []
        self._loader: Loader | None = None
        self.stage = 0
        self._require_stages()

    @property
    def size(self) -> int:
        """Samples in a batch of the stage."""
        return self._config.batch_size_of(self._config.stages[self.stage])

    @property
    def last(self) -> Drawn:
        """The batch that was taken last."""
        return Drawn(self.stage, self._position - 1)

    def take(self, step: int, cursor: Cursor) -> Batch:
        """Return the batch of the optimiser step after `step` completed ones.

        The next stage is gone on to where its first step is due, not before: records of the last are still to be kept.

        Raises:
            UserError: Data cannot be read.
        """
        index = stage_index(self._config.stages, step)
        if index != self.stage:
            self._enter_stage(index, cursor)
        batch: Batch = next(self._opened)
        return batch

    def position_after(self, step: int) -> int:
        """Return how many batches came before of the stage of the step after `step`, which may not be entered yet."""
        return self._position if stage_index(self._config.stages, step) == self.stage else 0

    def go_to(self, step: int, cursor: Cursor) -> None:
        """Go on after `step` completed optimiser steps, as a snapshot tells."""
        self.close()
        self._spells = []
        self._open_stage(stage_index(self._config.stages, step), cursor, cursor.position)

    def spell(self) -> Spell:
        """Return what loading did since the last time this was asked, or since training went on."""
        told, self._spells = total([*self._spells, self._opened.spell()]), []
        return told

    @contextmanager
    def uncounted(self) -> Iterator[None]:
        """Let what loading does within the block count for nothing."""
        self._spells.append(self._opened.spell())
        yield
        self._opened.spell()

    def times_of(self, drawn: Drawn) -> np.ndarray:
        """Return the initial times of the samples of a batch, of all processes."""
        samples, order = self._drawn_in(drawn.stage)
        return np.sort([samples.times(index)[0] for index in order.batch(drawn.position)])

    def close(self) -> None:
        """End the threads that make batches."""
        if self._loader is not None:
            self._loader.close()

    @property
    def _opened(self) -> Loader:
        assert self._loader is not None, "nothing is drawn before go_to"
        return self._loader

    @property
    def _position(self) -> int:
        return self._opened.position

    def _enter_stage(self, index: int, cursor: Cursor) -> None:
        self._spells.append(self._opened.spell())
        self.close()
        self._open_stage(index, cursor)

    def _open_stage(self, index: int, cursor: Cursor, position: int = 0) -> None:
        """Draw from a stage, from a position on, and after what is to be passed over."""
        samples, order = self._drawn_in(index)
        position = max(position, cursor.passed.get(str(index), 0))
        self.stage = index
        layout = self._layouts[index]
        self._loader = Loader(samples, order, position, layout.place_batch, in_use=self._in_use(layout))

    def _drawn_in(self, index: int) -> tuple[Samples, Order]:
        """Return what is drawn in a stage, and in which order."""
        stage = self._config.stages[index]
        period = f"training, stage {index + 1} of {len(self._config.stages)}"
        portion = self._layouts[index].portion
        rows, own = portion.rows.of(self._samples.n_rows), portion.samples
        samples = in_period(period, lambda: stage.choose(self._samples.of_rows(rows)))
        seed = int(np.random.SeedSequence((self._config.seed, index)).generate_state(1)[0])
        size = self._config.batch_size_of(stage)
        return samples, in_period(period, lambda: Order(len(samples), size, seed, own.index, own.count))

    def _require_stages(self) -> None:
        for index in range(len(self._config.stages)):
            samples, order = self._drawn_in(index)
            n_bytes = order.batch_size // order.process_count * samples.sample_bytes
            require_room(n_bytes, samples.memory_left, samples.n_bytes)


def in_period(period: str, choose: Callable[[], T]) -> T:
    """Return what is chosen of a period, by which a mistake is named."""
    try:
        return choose()
    except UserError as error:
        raise error.within(f"period of {period}: ") from None
