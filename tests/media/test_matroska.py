"""The one byte that is taken back from a header."""

import films
import pytest

from vscolor.media import matroska


@pytest.mark.parametrize("said", ["tv", "pc"])
def test_only_the_mark_changes(tmp_path, said):
    path = tmp_path / "film.mkv"
    marks = ("-vf", f"setparams=range={said}", "-color_range", said, "-c:v", "ffv1")
    films.make(path, *marks, "-write_crc32", "0", "-map", "1", "-map", "0", frames=3)
    assert f"({said}," in films.listing(path)
    before = path.read_bytes()
    matroska.forget_range(path)
    after = path.read_bytes()
    changed = [n for n, (a, b) in enumerate(zip(before, after, strict=True)) if a != b]
    assert [(before[n], after[n]) for n in changed] == [({"tv": 1, "pc": 2}[said], 0)]
    assert not any(f"({word}," in films.listing(path) for word in ("tv", "pc"))


def test_a_file_without_film_or_without_sense_is_left_alone(tmp_path):
    sound, noise = tmp_path / "sound.mka", tmp_path / "noise.mkv"
    films.run("-f", "lavfi", "-i", "sine=d=0.2", "-c:a", "flac", sound)
    noise.write_bytes(bytes(range(256)) * 8)
    for path in (sound, noise):
        before = path.read_bytes()
        matroska.forget_range(path)
        assert path.read_bytes() == before
