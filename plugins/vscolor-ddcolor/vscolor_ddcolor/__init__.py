"""DDColor as models of vscolor; see the entry points in pyproject.toml."""

from vscolor_ddcolor.adapter import ARTISTIC, DDCOLOR, PAPER, TINY

__all__ = ["ARTISTIC", "DDCOLOR", "PAPER", "TINY"]
