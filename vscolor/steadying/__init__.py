"""What `stabilize` does: the methods, and how each runs over a clip.

`stabilizers` chooses; `motion` works in the core alone, `recurrence` runs networks with memory, and
`prior` one that was fitted to the clip, by `fitting`, which keeps what it made in `fits`.
"""
