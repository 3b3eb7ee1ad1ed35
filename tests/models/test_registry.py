"""Plugins: found by entry point, imported when wanted, told by name when broken."""

import importlib.metadata
import sys
import textwrap

import pytest
import vapoursynth as vs

from vscolor import cli, colorize
from vscolor.errors import SettingError
from vscolor.models.registry import GROUP, Registry, registry
from vscolor.testing import noise_clip, planes_of, tiny_entry

GOOD = """
    from dataclasses import replace
    from vscolor.testing import TINY_CARD, tiny_entry
    ENTRY = replace(tiny_entry(), card=replace(TINY_CARD, name="{name}"))
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Installs a package of one module with entry points in `vscolor.models`."""
    monkeypatch.syspath_prepend(str(tmp_path))
    made = []

    def make(package, source, **points):
        module = package.replace("-", "_")
        made.append(module)
        (tmp_path / f"{module}.py").write_text(textwrap.dedent(source))
        info = tmp_path / f"{module}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.2\n")
        lines = [f"{name.replace('_', '-')} = {module}:{target}" for name, target in points.items()]
        (info / "entry_points.txt").write_text("\n".join([f"[{GROUP}]", *lines]))
        importlib.invalidate_caches()

    yield make
    for name in made:
        sys.modules.pop(name, None)


def test_a_plugin_is_imported_when_it_is_wanted(install):
    install("vscolor-extra", GOOD.format(name="extra"), extra="ENTRY")
    own = Registry(GROUP)
    own.add(tiny_entry())
    assert own.get("tiny").card.name == "tiny"
    assert {"tiny", "extra"} <= set(own.names())
    assert "vscolor_extra" not in sys.modules
    assert own.get("extra").card.name == "extra"
    assert "extra" in [entry.card.name for entry in own]
    assert own.broken() == []


@pytest.mark.parametrize(
    ("source", "target", "reason"),
    [
        ("import nothing_of_that_name", "ENTRY", "ModuleNotFoundError: No module named 'nothing"),
        ("x = 1", "ENTRY", "AttributeError"),
        ("ENTRY = 3", "ENTRY", "is no Entry of vscolor"),
        ("raise RuntimeError('two\\nlines')", "ENTRY", "RuntimeError: two lines"),
        (GOOD.format(name="else"), "ENTRY", "its card names it 'else'"),
    ],
)
def test_a_broken_plugin_is_told_by_name_and_harms_nobody(install, source, target, reason):
    install("vscolor-broken", source, bad=target)
    install("vscolor-good", GOOD.format(name="good"), good="ENTRY")
    own = Registry(GROUP)
    own.add(tiny_entry())
    assert own.get("good").card.name == "good"
    assert {entry.card.name for entry in own} >= {"tiny", "good"}
    (broken,) = own.broken()
    assert str(broken).startswith("model bad of vscolor-broken 1.2 is broken: ")
    assert reason in str(broken)
    with pytest.raises(SettingError, match=r"model= is 'bad': model bad of vscolor-broken 1\.2"):
        own.get("bad")


def test_names_are_not_taken_over(install):
    install("vscolor-thief", GOOD.format(name="tiny"), tiny="ENTRY")
    install("vscolor-twin", GOOD.format(name="twin"), twin="ENTRY")
    install("vscolor-zwin", GOOD.format(name="twin"), twin="ENTRY")
    own = Registry(GROUP)
    own.add(tiny_entry())
    assert own.get("tiny").load is tiny_entry().load
    told = [str(broken) for broken in own.broken()]
    assert any(
        "tiny of vscolor-thief 1.2 is broken: another model has this name" in t for t in told
    )
    assert sum("twin of" in t and "another model has this name" in t for t in told) == 1
    assert own.get("twin").card.name == "twin"


def test_through_the_filter_and_the_command_line(install, monkeypatch, capsys):
    install("vscolor-broken", "import nothing_of_that_name", bad="ENTRY")
    install("vscolor-extra", GOOD.format(name="extra"), extra="ENTRY")
    monkeypatch.setitem(registry.__dict__, "_plugins", Registry(GROUP)._plugins)
    clip = noise_clip(vs.GRAY8)
    assert planes_of(colorize(clip, "extra", size=64), 0)[1].std() > 0
    with pytest.raises(vs.Error, match="vscolor-broken"):
        colorize(clip, "bad")
    assert cli.run(["models"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "extra" in told
    assert "model bad of vscolor-broken 1.2 is broken: ModuleNotFoundError" in told
    assert cli.run(["doctor"]) == 1
    assert "bad" in capsys.readouterr().out


def test_the_face_for_plugins():
    from vscolor import plugin

    assert list(plugin.__all__) == sorted(plugin.__all__)
    assert all(hasattr(plugin, name) for name in plugin.__all__)
