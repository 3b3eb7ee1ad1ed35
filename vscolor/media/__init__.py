"""Films and stills outside of VapourSynth: read, and written by ffmpeg.

`source` opens what a user names; `timing`, `tags`, `streams` say what it has beside its frames.
`plan` decides how a result is written before the first frame is made, and `encode` writes it.
"""
