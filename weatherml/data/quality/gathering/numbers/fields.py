"""Numbers of single fields: what a time series keeps of each."""

import zlib
from typing import NamedTuple

import numpy as np


class FieldNumbers(NamedTuple):
    """Of each field `[..., field]`; float64 but for counts (int64) and fingerprints (uint64).

    Attributes:
        mean: Area-weighted, over the finite cells; NaN where there is none, as the next three.
        variance: Area-weighted.
        minimum: Least value.
        maximum: Greatest value.
        n_missing: Cells that are not finite.
        n_zero: Finite cells that are exactly 0.
        fingerprint: Of the bytes.
    """

    mean: np.ndarray
    variance: np.ndarray
    minimum: np.ndarray
    maximum: np.ndarray
    n_missing: np.ndarray
    n_zero: np.ndarray
    fingerprint: np.ndarray


def measure(fields: np.ndarray, finite: np.ndarray | None, areas: np.ndarray) -> FieldNumbers:
    """Return the numbers of fields.

    Args:
        fields: float32 `[field, lat, lon]`, 0 where there is no finite value.
        finite: Where there is one; None for everywhere.
        areas: Of the cells of each row `[lat]`.
    """
    n_cells = fields.shape[-2] * fields.shape[-1]
    found = np.full(fields.shape[:-1], fields.shape[-1]) if finite is None else finite.sum(-1)
    area = found @ areas
    n_found = found.sum(-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = fields.sum(-1) @ areas / area
        apart = fields - np.nan_to_num(mean).astype(np.float32)[:, None, None]
        if finite is not None:
            apart *= finite
        variance = np.einsum("nij,nij->ni", apart, apart) @ areas / area
    lowest, highest = _extremes(fields, finite)
    n_zero = _zeros(fields, finite, (lowest <= 0) & (highest >= 0))
    told = fields if finite is None else np.where(finite, fields, np.float32(np.nan))  # 0 is a value
    return FieldNumbers(mean, variance, lowest, highest, n_cells - n_found, n_zero, fingerprints(told))


def fingerprints(fields: np.ndarray) -> np.ndarray:
    """Return a checksum of the bytes of each field, uint64 `[field]`: two of 32 bits, put together."""
    words = np.ascontiguousarray(fields).view(np.uint32).reshape(len(fields), -1)
    in_any_order = np.bitwise_xor.reduce(words, axis=1).astype(np.uint64)
    in_order = np.array([zlib.crc32(field.data) for field in words], np.uint64)
    return np.asarray((in_order << np.uint64(32)) | in_any_order)


def _extremes(fields: np.ndarray, finite: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    flat = fields.reshape(len(fields), -1)
    if finite is None:
        return flat.min(1).astype(np.float64), flat.max(1).astype(np.float64)
    is_there = finite.reshape(flat.shape)
    lowest = np.where(is_there, flat, np.inf).min(1)
    highest = np.where(is_there, flat, -np.inf).max(1)
    is_empty = ~is_there.any(1)
    return np.where(is_empty, np.nan, lowest), np.where(is_empty, np.nan, highest)


def _zeros(fields: np.ndarray, finite: np.ndarray | None, has_any: np.ndarray) -> np.ndarray:
    """Return how many finite values are exactly 0 in each field; only fields that may have any are looked through."""
    n_zero = np.zeros(len(fields), np.int64)
    for number in np.flatnonzero(has_any):
        is_zero = fields[number] == 0
        n_zero[number] = np.count_nonzero(is_zero if finite is None else is_zero & finite[number])
    return n_zero
