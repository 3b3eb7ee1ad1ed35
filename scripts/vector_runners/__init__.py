"""Runners for `check_vectors.py`, by the model's name in a vector file's `meta["model"]`.

A runner takes a `Case` and returns its model's outputs, named like the file's `out_` arrays. To add
a model, write a runner and add it to `RUNNERS`.
"""

from __future__ import annotations

from collections.abc import Callable

from vector_runners import published, steadying
from vector_runners.case import Arrays, Case

type Runner = Callable[[Case], Arrays]

RUNNERS: dict[str, Runner] = {
    "eccv16": published.run_eccv16,
    "siggraph17": published.run_siggraph17,
    "instcolor": published.run_instcolor,
    "devc": published.run_devc,
    "devc_post": published.run_devc_post,
    "dvp": steadying.run_dvp,
    "dvp_tf": steadying.run_dvp_tf,
    "lai": steadying.run_lai,
}

__all__ = ["RUNNERS", "Arrays", "Case", "Runner"]
