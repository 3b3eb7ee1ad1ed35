"""`devc`: Zhang et al. 2019: film coloured by a reference and by the frame before.

`network` is the published network, `adapter` gives it the manners of `vscolor.models.base`.
"""
