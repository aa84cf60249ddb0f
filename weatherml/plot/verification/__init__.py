"""The page of a verification: which system is better, where, and how sure that is."""

from weatherml.plot.verification.page import write_page

__all__ = ["write_page"]
