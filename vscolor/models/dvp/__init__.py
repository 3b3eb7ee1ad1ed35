"""Deep Video Prior (Lei, Xing, Chen 2020): a network fitted to one scene at a time.

`reference`, `perceptual` and `objective` are the authors' configuration; `network` is the project's
own, on chroma; `fitting` has the fitting loops of both.
"""
