"""Hold our networks against outputs of the authors' own.

    python scripts/check_vectors.py --rule reference_weights.py --vectors DIR

Each file of DIR has inputs, outputs and a `meta`; weights are made by the rule, so no checkpoint is
needed. Every output's largest deviation is printed relative to its range. Exits 1 where one is
above the bar, is not made at all, or where nobody knows how to run a file.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from numpy.typing import NDArray
from vector_runners import RUNNERS, Case

from vscolor.errors import VscolorError

BAR = 1e-6
"""Of each output's range, in double precision."""
NOISE_FACTOR = 5.0
"""In single precision, times the noise the file states."""
ORIGIN_BAR = 5e-5
"""Where the file's own outputs were made in single precision, as TensorFlow's were."""


def load_rule(path: Path) -> ModuleType:
    """Import the weight rule from a file."""
    spec = importlib.util.spec_from_file_location("vector_rule", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise SystemExit(f"check_vectors: {path} is no Python file")
    rule = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(rule)
    missing = [name for name in ("make_state", "state_digest") if not hasattr(rule, name)]
    if missing:
        raise SystemExit(f"check_vectors: {path} defines no {' and no '.join(missing)}")
    return rule


def check_file(case: Case) -> bool:
    """Run one file and print its lines; return whether all is well."""
    runner = RUNNERS.get(case.model)
    if runner is None:
        print(f"{case.path.name}: no runner for model {case.model!r}")
        return False
    try:
        with torch.inference_mode():
            made = runner(case)
    except (VscolorError, LookupError, RuntimeError, TypeError, ValueError) as error:
        print(f"{case.path.name}: {type(error).__name__}: {error}")
        return False
    verdicts = [_compare(case, name, made.get(name)) for name in case.outputs]
    return all(verdicts)


def _compare(case: Case, name: str, made: NDArray[np.generic] | None) -> bool:
    expected = np.asarray(case.outputs[name], np.float64)
    label = f"{case.path.name} {name}"
    if made is None or made.shape != expected.shape:
        state = "not made" if made is None else f"is {made.shape}, expected {expected.shape}"
        print(f"FAIL {label}: {state}")
        return False
    spread = float(np.ptp(expected)) or float(np.abs(expected).max()) or 1.0
    deviation = float(np.abs(np.asarray(made, np.float64) - expected).max()) / spread
    bar = ORIGIN_BAR if "tensorflow" in case.meta else BAR
    if case.dtype == torch.float32:
        bar = max(bar, NOISE_FACTOR * case.meta.get("noise", {}).get(name, 0.0) / spread)
    good = deviation <= bar  # false for NaN
    print(f"{'ok  ' if good else 'FAIL'} {label}: {deviation:.2e} of its range (bar {bar:.1e})")
    return good


def main(arguments: list[str] | None = None) -> int:
    """Check every file; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rule", type=Path, required=True, help="the weight rule, a Python file")
    parser.add_argument("--vectors", type=Path, required=True, help="a folder of .npz files")
    parser.add_argument("--only", nargs="+", metavar="MODEL", help="these models alone")
    parser.add_argument("--float32", action="store_true", help="in single precision")
    wanted = parser.parse_args(arguments)
    rule = load_rule(wanted.rule)
    dtype = torch.float32 if wanted.float32 else torch.float64
    verdicts: list[bool] = []
    for path in sorted(wanted.vectors.glob("*.npz")):
        try:
            case = Case.read(path, rule, dtype)
        except VscolorError as error:
            print(f"{path.name}: {error}")
            verdicts.append(False)
            continue
        if not wanted.only or case.model in wanted.only:
            verdicts.append(check_file(case))
    if not verdicts:
        of = f" of {', '.join(wanted.only)}" if wanted.only else ""
        print(f"no vector files{of} in {wanted.vectors}")
    return 0 if verdicts and all(verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
