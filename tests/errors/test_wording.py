"""Laws of numbers and lists in sentences."""

import pytest

from weatherml.errors.wording import counted, listed, size_of


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (counted(1, "member"), "1 member"),
        (counted(0, "member"), "0 members"),
        (counted(2, "analysis", "analyses"), "2 analyses"),
        (size_of(0), "0 B"),
        (size_of(100), "100 B"),
        (size_of(999_499), "999 kB"),
        (size_of(999_500), "1 MB"),
        (size_of(556_789), "557 kB"),
        (size_of(20 * 10**9), "20 GB"),
        (size_of(1.0812e14), "108 TB"),
        (listed([]), ""),
        (listed(range(8)), "0, 1, 2, 3, 4, 5, 6, 7"),
        (listed(range(16)), ", ".join(map(str, range(16)))),
        (listed(range(37)), "0, 1, 2, 3, 4, 5, 6, 7, ... (37 in all)"),
        (listed(["a" * 30] * 9).count("a" * 30), 8),
        (listed(["a", "b"], 12), "a, b, ... (12 in all)"),
    ],
)
def test_sentences_count(said, words):
    assert said == words
