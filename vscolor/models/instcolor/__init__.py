"""`instcolor`: Su, Chu, Huang 2020: objects coloured separately, then fused.

`network` is the published network, `adapter` adapts it to `vscolor.models.base`.
"""
