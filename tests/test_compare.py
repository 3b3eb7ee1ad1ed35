"""The command `compare`: what is on the page, and that it works in a browser."""

import json
import re

import cv2
import numpy as np
import pytest
import vapoursynth as vs
from browser import PROGRAM, page
from films import make, opened

from vscolor import cli
from vscolor.compare import contestants, evidence
from vscolor.errors import MeasureError, SettingError

needs_browser = pytest.mark.skipif(PROGRAM is None, reason="no Chromium is installed")


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("compare")


@pytest.fixture(scope="module")
def film(folder):
    """Two shots of ten frames, in colour."""
    cut = "split[a][b];[b]hue=h=120,hflip,negate[c];[a][c]concat"
    return make(folder / "a <film>.mkv", frames=10, chain=cut, sound=False, size="160x120")


@pytest.fixture(scope="module")
def pale(folder):
    cut = "split[a][b];[b]hue=h=120,hflip,negate[c];[a][c]concat,hue=s=0.6"
    return make(folder / "pale.mkv", frames=10, chain=cut, sound=False, size="160x120")


@pytest.fixture(scope="module")
def report(film, pale, folder):
    """A page of three results: a film, a model, and a model steadied."""
    target = folder / "report.html"
    given = ["compare", film, f"pale & wan={pale}", "tiny", "steady=tiny+motion", "--out", target]
    options = ["--frames", "0,7,15", "--film-seconds", "0.4", "--quiet"]
    assert cli.run([str(word) for word in (*given, *options)]) == 0
    return target


def vscolor(*words):
    return cli.run([str(word) for word in words])


def test_page_holds_everything_and_asks_for_nothing(report):
    text = report.read_text(encoding="utf-8")
    assert not re.search(r"""(src|href)=["'](?!data:)""", text)
    assert "<!--" not in text.replace("<!doctype", "")
    assert "a &lt;film&gt;.mkv" in text
    assert "pale &amp; wan" in text
    assert text.count("<img alt=") == 5 * 3 + 4
    assert text.count("<video") == 5
    assert text.count('<svg class="plot"') == 4
    assert "20 frames, 2 scenes, true colours known" in text
    told = json.loads(re.search(r'id="data">(.*?)</script>', text, re.DOTALL)[1])
    assert told["views"] == ["grey", "pale & wan", "tiny", "steady", "true"]
    assert told["frames"] == [0, 7, 15]
    assert [p.name for p in report.parent.glob("*.part*")] == []


def test_a_part_of_the_film(film, pale, tmp_path):
    """Numbers stay the film's; a cut outside is no cut of the part."""
    target = tmp_path / "part.html"
    part = ["--start", "11", "--end", "19", "--frames", "2", "--film-seconds", "0.1", "--quiet"]
    assert vscolor("compare", film, f"pale={pale}", "--out", target, *part) == 0
    text = target.read_text(encoding="utf-8")
    assert "frames 11 to 18 of 20, 1 scene," in text
    assert json.loads(re.search(r'id="data">(.*?)</script>', text, re.DOTALL)[1])["frames"] == [
        13,
        17,
    ]
    begun, ended = map(int, re.search(r"<dt>Films</dt><dd>frames (\d+) to (\d+)", text).groups())
    assert 11 <= begun <= ended <= 18
    assert ">20<" not in text.partition('<svg class="plot"')[2].partition("</svg>")[0]


@pytest.mark.parametrize("wrong", [("--frames", "3,12"), ("--film-start", "19"), ("--end", "11")])
def test_what_is_not_in_the_part_is_refused(film, tmp_path, capsys, monkeypatch, wrong):
    monkeypatch.setattr(evidence, "measure", None)  # nothing is measured first
    target = tmp_path / "part.html"
    assert vscolor("compare", film, "tiny", "--out", target, "--start", 11, "--end", 19, *wrong)
    said = capsys.readouterr().err
    assert wrong[0] in said
    assert "11" in said
    assert not target.exists()


def test_the_best_is_marked(report):
    text = report.read_text(encoding="utf-8")
    row = re.search(r"<tr>(?:(?!</tr>).)*pale &amp; wan.*?</tr>", text, re.DOTALL)[0]
    assert row.count("★") >= 3
    true = re.search(r"</svg>true</th>.*?</tr>", text, re.DOTALL)[0]
    assert "★" not in true


@needs_browser
def test_slider_plots_and_films_work(report):
    with page() as shown:
        shown.open(report)
        box = shown.run("(b => [b.x, b.y, b.width, b.height])(stage.getBoundingClientRect())")
        x, y, width, height = box
        assert shown.run("under.naturalWidth") == 160
        shown.press(x + width * 0.5, y + height / 2, (x + width * 0.25, y + height / 2))
        assert float(shown.run("split.value")) == pytest.approx(25, abs=1)
        assert "25" in shown.run("over.style.clipPath")
        before = shown.run("over.src")
        shown.run("right.value = 'tiny'; right.dispatchEvent(new Event('change'))")
        assert shown.run("over.src") != before
        assert shown.run("righttag.textContent") == "tiny"
        shown.run("document.querySelector('[data-view=steady][data-frame=\"2\"]').click()")
        assert shown.run("[right.value, frame.value]") == ["steady", "2"]
        lines = "[...document.querySelectorAll('.plot .line')].map(l => l.getTotalLength())"
        assert min(shown.run(lines)) > 100
        assert shown.run("document.querySelectorAll('.plot .cut').length") == 4
        durations = shown.run("[...document.querySelectorAll('video')].map(v => v.duration)")
        assert durations == pytest.approx([0.4] * 5, abs=0.05)
        shown.run("seek.value = 500; seek.dispatchEvent(new Event('input'))")
        times = shown.run("[...document.querySelectorAll('video')].map(v => v.currentTime)")
        assert times == pytest.approx([durations[0] / 2] * 5, abs=0.02)
        shown.run("play.click()")
        assert shown.run("new Promise(r => setTimeout(() => r(play.textContent), 300))") == "Pause"
        assert shown.complaints == []


@needs_browser
def test_phone_dark_and_paper(report, tmp_path):
    def paper(path):
        return cv2.imread(str(path))[-3:, :3].mean()

    with page() as shown:
        shown.open(report, width=390, height=800)
        assert shown.run("document.documentElement.scrollWidth") <= 390
        shown.screenshot(tmp_path / "phone.png")
        shown.open(report, dark=True)
        shown.screenshot(tmp_path / "dark.png")
        shown.open(report, dark=True, print=True)
        shown.screenshot(tmp_path / "print.png")
        shown.print(tmp_path / "page.pdf")
        assert shown.complaints == []
    assert paper(tmp_path / "phone.png") > 230
    assert paper(tmp_path / "dark.png") < 60
    assert paper(tmp_path / "print.png") > 230
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")


@needs_browser
def test_the_table_fits_a_screen_and_plots_can_be_read_on_a_phone(report):
    wide = "const t = document.querySelector('.scroll'); t.scrollWidth - t.clientWidth"
    heights = (
        "[...document.querySelectorAll('.plot text')].map(t => t.getBoundingClientRect().height)"
    )
    with page() as shown:
        shown.open(report, width=1100)
        assert shown.run(wide) == 0
        shown.open(report, width=390, height=800)
        assert min(shown.run(heights)) > 10


def test_a_grey_source_has_no_truth(film, folder, capsys):
    grey = make(folder / "grey.mkv", frames=10, chain="hue=s=0", sound=False, size="160x120")
    target = folder / "grey.html"
    assert vscolor("compare", grey, "tiny", "-o", target, "--film-seconds", 0, "--frames", 2) == 0
    assert "grey.html: grey, tiny" in capsys.readouterr().err
    text = target.read_text(encoding="utf-8")
    assert "true colours not known" in text
    assert "PSNR" not in text
    assert "<video" not in text
    assert vscolor("compare", grey, "tiny", "-o", target) == cli.MISUSED
    assert "--overwrite" in capsys.readouterr().err


def test_colour_is_told_from_black_and_white(film, folder):
    colour = opened(film)
    assert contestants.has_colour(colour)
    assert not contestants.has_colour(colour.std.Expr(["", "128", "128"]))
    assert not contestants.has_colour(colour.std.ShufflePlanes(0, vs.GRAY))


def test_results_by_name(film, pale):
    source = opened(film)
    made = contestants.gather([str(pale), "a=tiny", "tiny+motion"], source, quiet=True)
    assert [c.name for c in made] == ["pale", "a", "tiny+motion"]
    assert made[2].origin == "colorize, tiny; stabilize, motion"
    for words, fault in (
        (["a=tiny", f"a={pale}"], "two results are called 'a'"),
        (["true=tiny"], "two results are called 'true'"),
        (["nothing.mkv"], "names no file and no model"),
    ):
        with pytest.raises(SettingError, match=fault):
            contestants.gather(words, source, quiet=True)
    with pytest.raises(MeasureError, match=r"^pale .*20 frames and the film 12"):
        contestants.gather([str(pale)], source[:12], quiet=True)


def test_grey_view_is_the_luma(film):
    source = opened(film)
    with contestants.grey_of(source).get_frame(3) as frame:
        planes = [np.asarray(frame[p]).astype(int) for p in range(3)]
    assert np.abs(planes[0] - planes[2]).max() == 0
    with source.get_frame(3) as frame:
        luma = np.clip((np.asarray(frame[0]).astype(float) - 16) / 219 * 255, 0, 255)
    assert np.abs(planes[0] - luma).max() <= 1


def test_histogram_shows_each_colour_at_its_place():
    counts = np.zeros((evidence.CELLS, evidence.CELLS))
    counts[60, 40] = 100  # reddish: a high, b a little up
    png = cv2.imdecode(np.frombuffer(evidence.histogram(counts), np.uint8), cv2.IMREAD_UNCHANGED)
    (row,), (column,) = np.nonzero(png[..., 3])
    assert (row, column) == (evidence.CELLS - 1 - 40, 60)
    blue, green, red, _ = png[row, column].astype(int)
    assert red > blue > green or red > green


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--frames", "0,99"), "--frames has 99, expected 0 to 19"),
        (("--frames", "many"), "expected a number"),
        (("--frames", "99"), "expected 1 to 24"),
        (("--film-seconds", "99"), "expected 0 to 30"),
        (("--film-start", "99"), "--film-start is 99"),
        (("-o", "report.pdf"), "no page"),
    ],
)
def test_misuse_is_one_line(film, tmp_path, monkeypatch, capsys, arguments, words):  # noqa: PLR0917
    monkeypatch.chdir(tmp_path)
    assert vscolor("compare", film, "tiny", "--quiet", *arguments) == cli.MISUSED
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert words in told
    assert list(tmp_path.iterdir()) == []
