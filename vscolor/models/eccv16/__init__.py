"""`eccv16`: Zhang, Isola, Efros 2016: colours as a distribution over 313 bins.

`network` is the published network, `adapter` adapts it to `vscolor.models.base`.
"""
