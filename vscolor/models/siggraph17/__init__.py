"""`siggraph17`: Zhang et al. 2017: colours guided by hints of the user.

`network` is the published network, `adapter` gives it the manners of `vscolor.models.base`.
"""
