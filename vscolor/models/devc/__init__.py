"""`devc`: Zhang et al. 2019: film coloured from a reference and the frame before.

`network` is the published network, `adapter` adapts it to the interface of
`vscolor.models.video`.
"""
