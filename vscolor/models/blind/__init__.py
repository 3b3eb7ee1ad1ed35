"""`blind`: a small recurrent network that removes colour flicker, whatever made the colour.

The idea is from Lai et al. 2018, "Learning Blind Video Temporal Consistency"; this network is the
project's own, on chroma, small enough for a CPU. Theirs is in `vscolor.models.lai`.
"""
