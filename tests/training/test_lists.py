"""The lists of the published weights' pictures: whole, and as the card tells them."""

import csv
import json
import lzma
from collections import Counter
from pathlib import Path

import pytest

from vscolor.training.photographs import source_of

ROOT = Path(__file__).parents[2]
LISTS = ROOT / "docs" / "training"


@pytest.fixture(scope="module")
def sources():
    with (LISTS / "sources.tsv").open() as file:
        return {
            row["collection"]: row
            for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        }


def test_every_picture_is_of_a_known_collection(sources):
    with lzma.open(LISTS / "pictures.tsv.xz", "rt") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    assert all(row["path"] for row in rows)
    assert len({row["file"] for row in rows}) == len(rows)
    counted = Counter(source_of(row["file"]) for row in rows)
    assert counted == {name: int(row["pictures"]) for name, row in sources.items()}


def test_the_card_counts_the_same(sources):
    card = (ROOT / "vscolor" / "models" / "mini" / "card.md").read_text()
    tiers = Counter()
    for row in sources.values():
        tiers[row["tier"]] += int(row["pictures"])
    assert set(tiers) == {"A", "B", "C"}
    assert all(f"| {count:,} |" in card for count in tiers.values())


def test_weights_are_of_known_collections(sources):
    weights = json.loads((LISTS / "collections.json").read_text())
    assert set(weights) <= set(sources)
