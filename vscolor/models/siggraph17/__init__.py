"""`siggraph17`: Zhang et al. 2017: colours guided by the user's hints.

`network` is the published network, `adapter` adapts it to `vscolor.models.base`.
"""
