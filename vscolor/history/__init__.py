"""Colour that is told by other pictures: the frame before, references, hints.

What a caller gives is read by `references` and `hints` and made ready by `exemplars`; `guidance`
puts the run of a video model together and `hinted` that of a still model that takes hints. In
`along` every frame meets its scene's `keys` (found by `gather`), and `chain` makes the recurrent
steps. `rows` is how floats travel between them, `debug` shows what was taken from where.
"""
