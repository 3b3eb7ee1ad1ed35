"""Fetching weights from servers that behave as servers do."""

import hashlib
import http.server
import io
import threading
import time
import zipfile

import pytest

from vscolor import cli
from vscolor.errors import WeightsError
from vscolor.models.registry import registry
from vscolor.weights import fetch, hashes, keeping
from vscolor.weights.catalog import WeightFile, WeightSet

BODY = bytes(range(256)) * 4000
DIGEST = hashlib.sha256(BODY).hexdigest()
PAGE = b"<!DOCTYPE html><html>Please sign in</html>"


def zipped(**members):
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for name, body in members.items():
            archive.writestr(name.replace("__", "/"), body)
    return held.getvalue()


ARCHIVE = zipped(top__data__a=BODY, top__b=b"bbb", **{"..__..__evil": b"evil"})


class Server(http.server.BaseHTTPRequestHandler):
    """The path says how it misbehaves; requests are counted by path."""

    counts: dict

    def do_GET(self):
        name = self.path[1:]
        self.counts[name] = self.counts.get(name, 0) + 1
        getattr(self, name.partition(".")[0])(self.counts[name])

    def send(self, body, claimed=None, code=200):
        self.send_response(code)
        self.send_header("Content-Length", str(len(body) if claimed is None else claimed))
        self.end_headers()
        self.wfile.write(body)

    def good(self, _count):
        self.send(BODY)

    def slow(self, _count):
        self.send_response(200)
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        for start in range(0, len(BODY), 200_000):
            time.sleep(0.05)
            self.wfile.write(BODY[start : start + 200_000])
            self.wfile.flush()

    def cuts(self, count):
        """Breaks off twice, then goes through."""
        if count < 3:
            self.send(BODY[: len(BODY) // 2], claimed=len(BODY))
        else:
            self.send(BODY)

    def always(self, _count):
        self.send(BODY[: len(BODY) // 2], claimed=len(BODY))

    def page(self, _count):
        self.send(PAGE)

    def wrong(self, _count):
        self.send(BODY[::-1])

    def gone(self, _count):
        self.send(b"no", code=404)

    def busy(self, count):
        self.send(b"later", code=503) if count == 1 else self.send(BODY)

    def archive(self, _count):
        self.send(ARCHIVE)

    def empty(self, _count):
        self.send(b"")

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def address():
    Server.counts = {}
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("VSCOLOR_WEIGHTS", str(tmp_path / "cache"))
    monkeypatch.setattr("pooch.core.time.sleep", lambda seconds: None)
    Server.counts = {}
    return tmp_path / "cache"


def accept(name, path):
    """A check that any file passes."""


def one(url, sha256=DIGEST, **more):
    return WeightSet("m", (WeightFile("w.pth", url=url, sha256=sha256, **more),), accept)


def left_over(cache):
    return sorted(p.name for p in cache.rglob("*") if p.is_file())


@pytest.mark.parametrize("kind", ["good", "slow", "cuts", "busy"])
def test_what_arrives_in_the_end_is_whole(address, cache, kind):
    assert fetch.fetch(one(f"{address}/{kind}")) == [cache / "m" / "w.pth"]
    assert (cache / "m" / "w.pth").read_bytes() == BODY
    assert left_over(cache) == ["w.pth", "w.pth.sha256"]
    assert Server.counts[kind] == {"good": 1, "slow": 1, "cuts": 3, "busy": 2}[kind]


@pytest.mark.parametrize(
    ("kind", "said", "requests"),
    [
        ("always", "", 1 + fetch.RETRIES),
        ("page", "the server sent a page instead of the file", 1),
        ("wrong", "what came has sha256", 1),
        ("gone", "the server answered 404", 1),
        ("empty", "the server sent an empty file", 1),
    ],
)
def test_what_is_wrong_is_said_and_leaves_nothing(address, cache, kind, said, requests):
    kept = one(f"{address}/{kind}")
    with pytest.raises(WeightsError) as error:
        fetch.fetch(kept)
    told = str(error.value)
    assert said in told
    for words in (f"{address}/{kind}", str(cache / "m" / "w.pth"), "vscolor models add m FILE"):
        assert words in told
    assert "\n" not in told
    assert left_over(cache) == []
    assert Server.counts[kind] == requests


def test_a_page_is_no_weight_file_without_a_hash_either(address, cache):
    with pytest.raises(WeightsError, match="sent a page"):
        fetch.fetch(one(f"{address}/page", sha256=""))
    assert left_over(cache) == []


def test_a_mirror_helps_out(address):
    kept = one(f"{address}/gone", mirrors=(f"{address}/wrong", f"{address}/good"))
    assert kept.installed is False
    fetch.fetch(kept)
    assert kept.installed


def test_offline(cache):
    with pytest.raises(WeightsError) as error:
        fetch.fetch(one("http://127.0.0.1:9/w.pth"))
    assert "http://127.0.0.1:9/w.pth" in str(error.value)
    assert str(cache / "m" / "w.pth") in str(error.value)


def test_what_is_there_is_not_fetched_again(address):
    kept = one(f"{address}/good")
    fetch.fetch(kept)
    assert fetch.fetch(kept) == []
    assert Server.counts["good"] == 1


@pytest.mark.parametrize("sha256", [DIGEST, ""])
def test_a_damaged_file_is_fetched_anew(address, sha256):
    kept = one(f"{address}/good", sha256=sha256)
    (place,) = fetch.fetch(kept)
    kept.open(None, "v", lambda paths: "loaded")
    place.write_bytes(b"damaged")
    with pytest.raises(WeightsError, match="fetch it again"):
        kept.open(None, "other", lambda paths: "loaded")
    assert fetch.fetch(kept) == [place]
    assert place.read_bytes() == BODY
    assert kept.open(None, "third", lambda paths: "loaded") == "loaded"


def test_leading_digits_of_a_hash_are_held_to(address):
    fetch.fetch(one(f"{address}/good", sha256=DIGEST[:8]))
    with pytest.raises(WeightsError, match="sha256"):
        fetch.fetch(
            WeightSet("n", (WeightFile("w", url=f"{address}/good", sha256="00000000"),), accept)
        )


class Bar:
    total = 0
    seen = 0
    closed = False

    def update(self, count):
        self.seen += count

    def reset(self):
        self.seen = 0

    def close(self):
        self.closed = True


def test_the_bar_of_a_failed_download_is_closed(address):
    bars = []
    with pytest.raises(WeightsError):
        fetch.fetch(one(f"{address}/absent"), lambda _: bars.append(Bar()) or bars[-1])
    assert [bar.closed for bar in bars] == [True] * len(bars)
    assert bars


def test_progress_is_shown(address):
    bars = {}
    fetch.fetch(one(f"{address}/good"), lambda name: bars.setdefault(name, Bar()))
    assert bars["w.pth"].total == len(BODY)
    assert bars["w.pth"].seen == len(BODY)
    assert bars["w.pth"].closed


class TestArchives:
    def members(self, address, *more):
        files = [
            WeightFile("a.pth", url=f"{address}/archive.zip", member="data/a"),
            WeightFile("b.pth", url=f"{address}/archive.zip", member="b"),
            *more,
        ]
        return WeightSet("z", tuple(files), accept)

    def test_members_are_taken_out_and_nothing_else(self, address, cache):
        fetch.fetch(self.members(address))
        assert (cache / "z" / "a.pth").read_bytes() == BODY
        assert left_over(cache) == ["a.pth", "a.pth.sha256", "b.pth", "b.pth.sha256"]
        assert Server.counts["archive.zip"] == 1
        assert not list(cache.parent.parent.rglob("evil"))

    def test_a_member_that_is_not_there(self, address, cache):
        more = WeightFile("c.pth", url=f"{address}/archive.zip", member="c")
        with pytest.raises(WeightsError, match="the archive has no c"):
            fetch.fetch(self.members(address, more))
        assert left_over(cache) == []

    def test_an_archive_that_is_none(self, address):
        file = WeightFile("a.pth", url=f"{address}/good.zip", member="a")
        with pytest.raises(WeightsError, match="cannot be read"):
            fetch.fetch(WeightSet("z", (file,), accept))

    def test_keys_are_checked_where_no_hash_is_published(self, address, cache):
        def refuse(name, path):
            raise WeightsError(f"{name} is of another network: x is missing")

        file = WeightFile("a.pth", url=f"{address}/archive.zip", member="data/a")
        with pytest.raises(WeightsError, match="x is missing"):
            fetch.fetch(WeightSet("z", (file,), refuse))
        assert left_over(cache) == []

    def test_a_member_that_claims_too_much(self, address, monkeypatch):
        monkeypatch.setattr(fetch, "MAX_MEMBER", 1000)
        with pytest.raises(WeightsError, match="too many for weights"):
            fetch.fetch(self.members(address))


class TestHashes:
    def test_the_first_use_is_remembered(self, cache):
        kept = one("", sha256="")
        place = kept.path(kept.files[0])
        place.parent.mkdir(parents=True)
        place.write_bytes(b"one")
        assert kept.open(None, "v", lambda paths: "loaded") == "loaded"
        assert hashes.recorded(place) == hashlib.sha256(b"one").hexdigest()
        place.write_bytes(b"two!")
        with pytest.raises(WeightsError, match="as at first use"):
            kept.open(None, "v", lambda paths: "loaded")
        place.with_name(place.name + hashes.SUFFIX).unlink()
        kept.open(None, "v", lambda paths: "loaded")

    def test_published_hashes_are_held_to(self, cache):
        kept = one("")
        place = kept.path(kept.files[0])
        place.parent.mkdir(parents=True)
        place.write_bytes(b"other")
        with pytest.raises(WeightsError, match="as published"):
            kept.open(None, "v", lambda paths: "loaded")

    def test_a_caller_s_own_file_is_not_held_to_them(self, tmp_path, cache):
        (tmp_path / "mine.pth").write_bytes(b"mine")
        loaded = one("").open(tmp_path / "mine.pth", "v", lambda paths: paths["w.pth"])
        assert loaded == tmp_path / "mine.pth"
        assert left_over(tmp_path) == ["mine.pth"]

    def test_verify_tells_each_state(self, address, cache):
        kept = self_and_more = WeightSet(
            "m",
            (
                WeightFile("w.pth", url=f"{address}/good", sha256=DIGEST),
                WeightFile("x.pth", url=f"{address}/good"),
                WeightFile("y.pth"),
            ),
            accept,
        )
        fetch.fetch(WeightSet("m", kept.files[:2], accept))
        states = list(keeping.verify([self_and_more]))
        assert [s.good for s in states] == [True, True, None]
        assert "as published" in states[0].told
        (cache / "m" / "x.pth").write_bytes(b"changed")
        states = list(keeping.verify([kept]))
        assert [s.good for s in states] == [True, False, None]
        assert states[1].told.startswith("has sha256")  # what shows it names the path itself


class TestAdding:
    def refuse_b(self, name, path):
        if path.read_bytes()[:1] != name[:1].encode():
            raise WeightsError(f"{path.name} is of another network: key of {name} is missing")

    def kept(self):
        return WeightSet(
            "m", (WeightFile("a.pth", member="d/a"), WeightFile("b.pth")), self.refuse_b
        )

    def test_by_what_it_holds(self, tmp_path, cache):
        (tmp_path / "some.bin").write_bytes(b"b...")
        assert keeping.add([self.kept()], tmp_path / "some.bin") == [cache / "m" / "b.pth"]
        assert (cache / "m" / "b.pth").read_bytes() == b"b..."

    def test_by_name_it_must_still_fit(self, tmp_path, cache):
        (tmp_path / "a.pth").write_bytes(b"z...")
        with pytest.raises(WeightsError, match=r"key of a\.pth is missing"):
            keeping.add([self.kept()], tmp_path / "a.pth")
        assert left_over(cache) == []

    def test_none_of_them(self, tmp_path):
        (tmp_path / "c.bin").write_bytes(b"c")
        with pytest.raises(WeightsError, match=r"none of the model's files.*key of a\.pth"):
            keeping.add([self.kept()], tmp_path / "c.bin")

    def test_out_of_an_archive(self, tmp_path, cache):
        (tmp_path / "all.zip").write_bytes(zipped(d__a=b"aaa"))
        assert keeping.add([self.kept()], tmp_path / "all.zip") == [cache / "m" / "a.pth"]

    def test_an_archive_is_added_whole_or_not_at_all(self, tmp_path, cache):
        files = (WeightFile("a.pth", member="a"), WeightFile("b.pth", member="b"))
        (tmp_path / "all.zip").write_bytes(zipped(a=b"aaa", b=b"zzz"))
        with pytest.raises(WeightsError, match=r"key of b\.pth is missing"):
            keeping.add([WeightSet("m", files, self.refuse_b)], tmp_path / "all.zip")
        assert left_over(cache) == []

    def test_by_its_hash(self, tmp_path, cache):
        (tmp_path / "any").write_bytes(BODY)
        assert keeping.add([one("")], tmp_path / "any") == [cache / "m" / "w.pth"]
        (tmp_path / "w.pth").write_bytes(b"other")
        with pytest.raises(WeightsError, match="as published; a file of your own is for weights="):
            keeping.add([one("")], tmp_path / "w.pth")


class TestCommands:
    def test_fetch_and_verify(self, address, monkeypatch, capsys, cache):
        from dataclasses import replace

        kept = one(f"{address}/good")
        entry = replace(registry.get("eccv16"), needs=((kept,),), installed=lambda: kept.installed)
        monkeypatch.setitem(registry._entries, "eccv16", entry)
        assert cli.run(["models", "verify", "eccv16"]) == 1
        assert cli.run(["models", "fetch", "eccv16"]) == 0
        assert "model eccv16 is installed" in " ".join(capsys.readouterr().err.split())
        assert cli.run(["models", "verify"]) == 0
        assert "as published" in capsys.readouterr().out
        (cache / "m" / "w.pth").write_bytes(b"x")
        assert cli.run(["models", "verify"]) == 1

    def test_what_cannot_be(self, capsys, tmp_path):
        assert cli.run(["models", "fetch", "nope"]) == 2
        assert cli.run(["models", "add", "mini", str(tmp_path / "x")]) == 2
        assert cli.run(["models", "add", "eccv16", str(tmp_path / "x")]) == 1
        told = capsys.readouterr().err
        assert "does not exist, expected a weight file" in " ".join(told.split())

    def test_mini_needs_nothing(self, capsys):
        assert cli.run(["models", "fetch", "mini"]) == 0
        assert "model mini is installed" in " ".join(capsys.readouterr().err.split())
