"""Films made on the spot by ffmpeg, and what ffmpeg reads back from a file."""

import subprocess
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import vapoursynth as vs

from vscolor import cli
from vscolor.media import ffmpeg

FRAMES = 30
MILLISECOND = Fraction(1, 1000)
FAST = ("--preset", "ultrafast")
STILLS = (".png", ".jpg", ".tif")
SUBTITLES = "1\n00:00:00,200 --> 00:00:00,700\nfirst\n\n2\n00:00:00,800 --> 00:00:01,100\nsecond\n"
CHAPTERS = (
    ";FFMETADATA1\ntitle=A film\n"
    "[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=500\ntitle=one\n"
    "[CHAPTER]\nTIMEBASE=1/1000\nSTART=500\nEND=1200\ntitle=two\n"
)
# Frame n at n/25 s, then late by 0.3 s from frame 10 on, then at double rate.
UNEVEN = "settb=1/1000,setpts='if(lt(N,10),N*40,if(lt(N,20),N*40+300,(N-20)*20+1100))'"


@dataclass(frozen=True)
class Packet:
    pts: Fraction
    digest: str


def run(*arguments):
    done = ffmpeg.run("-v", "error", "-y", *map(str, arguments))
    assert done.returncode == 0, done.stderr
    return done


def make(
    path: Path,
    *arguments: str,
    size="96x64",
    rate="25",
    frames=FRAMES,
    pix_fmt="yuv420p",
    sound=True,
    chain="null",
):
    """A moving test picture, with a tone unless told otherwise."""
    seconds = float(frames / Fraction(rate))
    tone = ("-f", "lavfi", "-i", f"sine=f=300:d={seconds}") if sound else ()
    picture = f"testsrc2=s={size}:r={rate}:d={seconds},format={pix_fmt},{chain}"
    codec = ("-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-b_strategy", "0")
    run(
        *("-f", "lavfi", "-i", picture, *tone, *codec, "-pix_fmt", pix_fmt, "-c:a", "aac"),
        *("-fps_mode", "passthrough", "-enc_time_base", "1:24000", *arguments, path),
    )
    return path


def rich_film(path: Path, folder: Path):
    """A Matroska film with sound, subtitles, chapters, a title, a font and a language."""
    plain = make(folder / "plain.mkv")
    words, chapters, font = folder / "words.srt", folder / "chapters.txt", folder / "font.ttf"
    words.write_text(SUBTITLES)
    chapters.write_text(CHAPTERS)
    font.write_bytes(b"not really a font")
    run(
        *("-i", plain, "-i", words, "-i", chapters, "-map", "0:a", "-map", "0:v", "-map", "1"),
        *("-map_metadata", "2", "-map_chapters", "2", "-c", "copy", "-attach", font),
        *("-metadata:s:t", "mimetype=font/ttf", "-metadata:s:a", "language=fra", path),
    )
    return path


def packets(path: Path, stream: str) -> list[Packet]:
    """Packets of a stream as ffmpeg copies them, on the file's own clock."""
    told = run("-copyts", "-i", path, "-map", f"0:{stream}", "-c", "copy", "-f", "framemd5", "-")
    base, found = Fraction(1), []
    for line in told.stdout.splitlines():
        if line.startswith("#tb"):
            base = Fraction(line.split(":")[1].strip())
        elif line and not line.startswith("#"):
            columns = [column.strip() for column in line.split(",")]
            found.append(Packet(int(columns[2]) * base, columns[5]))
    return found


def times(path: Path, stream="v:0") -> list[Fraction]:
    """Presentation times of a stream, in order."""
    return sorted(packet.pts for packet in packets(path, stream))


def listing(path: Path) -> str:
    """What `ffmpeg -i` says of a file."""
    return subprocess.run(
        [ffmpeg.executable(), "-hide_banner", "-i", str(path)],
        capture_output=True,
        text=True,
        check=False,
    ).stderr


def opened(path: Path, **options) -> vs.VideoNode:
    return vs.core.bs.VideoSource(str(path), cachemode=0, showprogress=False, **options)


def two_shots(folder: Path) -> Path:
    """Two shots of twelve frames, in colour, without sound."""
    parts = "split[a][b];[b]hue=h=120,hflip,negate[c];[a][c]concat"
    return make(folder / "film.mkv", frames=12, chain=parts, sound=False, size="160x120")


def colorize(source, target, *options):
    """Run the command in this process, with the model that takes no time."""
    told = {"--preset", "--codec"} & {*options} or target.suffix in (*STILLS, ".webm", "")
    told = told or Path(source).is_dir()
    speed = () if told else FAST
    model = ("--model", "tiny", "--size", "64")
    return cli.run(["colorize", str(source), str(target), *model, *speed, *options])


def digests(path, stream):
    """Of each packet of a stream."""
    return [packet.digest for packet in packets(path, stream)]


def assert_same_times(path, source, since=Fraction(0)):
    """Frames of a film are shown when those of another are, to a container's millisecond."""
    new, old = times(path), [t - since for t in times(source) if t >= since]
    assert len(new) == len(old)
    assert max(abs(a - b) for a, b in zip(new, old, strict=True)) <= MILLISECOND
