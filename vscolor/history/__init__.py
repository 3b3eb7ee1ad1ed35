"""Colour taken from other pictures: the frame before, references, hints.

`references` and `hints` read the caller's arguments, `exemplars` turns them into exemplars.
`guidance` sets up the run of a video model, `hinted` that of a still model that takes hints.
`propagation` matches each frame to its scene's `keyframes` (scenes from the cuts that `gather`
collects) and to the references that `selection` picks; `chain` runs the recurrent steps. `rows`
packs floats into frames between them, `debug` shows which source each colour came from.
"""
