"""The page of a verification: which system is better, where, and how sure that is."""

from weatherml.plot.verification.page import look, scorecards, write_page

__all__ = ["look", "scorecards", "write_page"]
