"""Reads films and stills, and writes them with ffmpeg.

`source` opens the user's input; `timing`, `tags` and `streams` handle what it has besides pixels.
`plan` decides how a result is written before the first frame is made, and `encode` writes it.
"""
