"""Metrics of fidelity to the ground truth and of temporal stability."""
