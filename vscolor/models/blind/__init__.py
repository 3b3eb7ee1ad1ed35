"""`blind`: a small recurrent network that takes flicker out of colour, whoever made it.

The idea is Lai et al. 2018, "Learning Blind Video Temporal Consistency"; this one is ours, on
chroma, small enough for a CPU. Their network itself is in `vscolor.models.lai`.
"""
