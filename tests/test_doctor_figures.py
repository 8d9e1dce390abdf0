"""The first page's figures come from the runs, those of the doctor, too."""

import json
import re
import sys
from pathlib import Path

import pytest
from statsmodels.stats.proportion import proportion_confint

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "_ext"))

import doctor_figures
import execute

RECORD = json.loads(doctor_figures.RECORD.read_text("utf-8"))
COUNTS = doctor_figures.counts(RECORD)


@pytest.mark.parametrize("counts", COUNTS)
@pytest.mark.parametrize("name", ["found", "first", "false alarms"])
def test_each_count_stands_with_its_interval(counts, name):
    one = counts[name]
    low, high = proportion_confint(one["hits"], one["of"], method="wilson")
    expected = f"{one['hits']} of {one['of']} ({low:.0%} to {high:.0%})"
    assert expected in doctor_figures.told(*COUNTS)


def test_a_change_of_the_records_changes_the_sentence():
    other = json.loads(json.dumps(RECORD))
    other["sets"]["second"]["doctor"]["found"]["hits"] -= 7
    changed = doctor_figures.counts(other)
    assert doctor_figures.told(*changed) != doctor_figures.told(*COUNTS)


def test_the_first_page_has_no_typed_figures():
    text = (execute.ROOT / "intro.md").read_text("utf-8")
    assert "```{doctor-figures}" in text
    # what a directive is given, links' goals, roles and code are no figures
    text = re.sub(r"^```.*$|\]\([^)]*\)|\{\w+\}`[^`]*`|`[^`]*`", "", text, flags=re.M)
    assert re.findall(r"\d+", text) == []
