"""Lai et al. 2018, "Learning Blind Video Temporal Consistency": the authors' network."""
