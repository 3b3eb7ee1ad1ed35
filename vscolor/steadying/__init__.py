"""The methods of `stabilize`, and how each runs over a clip.

`stabilizers` chooses. `motion` works in the core, except for `slow`'s correction (NumPy on coarse
cells); `recurrence` runs networks with memory; `prior` runs networks that `fitting` fitted to the
clip and stored in `fits`.
"""
