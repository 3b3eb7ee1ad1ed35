"""`instcolor`: Su, Chu, Huang 2020: objects coloured on their own, then fused.

`network` is the published network, `adapter` gives it the manners of `vscolor.models.base`.
"""
