"""What is recorded of the benchmark and the clinic, and what is read off it."""

import json
from pathlib import Path

import pytest

from nnperf_utils import clinic, labs, looks
from nnperf_utils.doctor import CAUSES

BENCHMARK = Path(__file__).parents[1] / "benchmarks" / "doctor"


def record(name):
    return json.loads((BENCHMARK / f"{name}.json").read_text("utf-8"))


def test_the_figures_are_those_of_the_benchmark():
    told = looks.benchmark()
    assert told["first scoring"] == record("first_scoring")
    aside = record("results")["parts"]["set aside"]
    for part, of in (("set aside", aside), ("fresh", record("first_scoring_of_fresh"))):
        shown = told["parts"][part]
        assert shown == {key: of[key] for key in shown}
    blind = record("first_scoring_of_others")["sets"]
    for shown, of in zip(told["others"].values(), blind.values(), strict=True):
        assert shown == {key: of[key] for key in shown}
    assert list(looks.doctor_table().index[:5]) == [
        "set aside, first scoring",
        "set aside, after mending",
        "fresh, scored once",
        "of others, first set, first scoring",
        "of others, second set, first scoring",
    ]


def test_both_looks_were_taken_at_every_network_that_counts():
    told = looks.benchmark()
    for part in ("set aside", "fresh"):
        of_part = [one for one in told["looks"] if one["part"] == part]
        ill = sum(one["cause"] is not None for one in of_part)
        assert ill == told["parts"][part]["faulty"]
        assert len(of_part) - ill == told["parts"][part]["healthy"]


def test_the_ladder_counts_every_fault_once_at_most():
    table = looks.ladder()
    assert (table["new"] <= table["faults"]).all()
    assert table["new"].sum() <= table["ill"].iloc[0]
    assert (table["faults"] <= table["ill"]).all()
    parts = [looks.benchmark()["parts"][name] for name in ("set aside", "fresh")]
    found = sum(part["doctor"]["found"]["hits"] for part in parts)
    assert table["faults"].iloc[-1] == found


def test_one_batch_is_counted_from_the_looks():
    told = looks.benchmark()["looks"]
    cannot = [
        one for one in told if one["batch"] is None or not one["batch"] < looks.LEARNED
    ]
    ill = sum(one["cause"] is not None for one in cannot)
    effects = looks.one_batch_effects()
    assert effects["precision"] == pytest.approx(ill / len(cannot))
    assert len(looks.healthy_that_cannot()) == len(cannot) - ill
    assert effects["precision_low"] < effects["precision"] < effects["precision_high"]


def test_of_those_that_cannot_some_are_counted_apart():
    counts, told = looks.batch_counts(), looks.one_batch_effects()
    cannot = [
        one
        for one in looks.benchmark()["looks"]
        if one["batch"] is None or not one["batch"] < looks.LEARNED
    ]
    hard = [one for one in cannot if one["name"].startswith("hard")]
    assert not any(one["cause"] for one in hard)
    assert counts["plain"] == len(cannot) - len(hard)
    assert counts["broken"] == pytest.approx(told["precision"] * len(cannot))
    late = [one for one in cannot if not one["before"]]
    assert counts["late"] == len(late)
    assert counts["late_broken"] == sum(one["cause"] is not None for one in late)


def test_a_fault_that_the_doctor_misses_is_not_new(monkeypatch):
    told = json.loads(json.dumps(looks.benchmark()))
    whole = looks.ladder().iloc[-1]
    shown = [one for one in told["looks"] if one["cause"] and one["before"]]
    told["parts"][shown[0]["part"]]["missed"].append(shown[0]["name"])
    monkeypatch.setattr(looks, "benchmark", lambda: told)
    less = looks.ladder().iloc[-1]
    assert less["faults"] == whole["faults"] - 1
    assert less["new"] == whole["new"]  # a look before it had found that one


def test_wilsons_interval():
    # Wilson's interval of 5 of 57, by his formula
    value, low, high = looks.share(5, 57)
    z, n = 1.959964, 57
    middle = (value + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * (value * (1 - value) / n + z**2 / (4 * n**2)) ** 0.5 / (1 + z**2 / n)
    assert (low, high) == pytest.approx((middle - half, middle + half), abs=1e-6)
    with pytest.raises(ValueError, match="needs at least 1"):
        looks.share(0, 0)


def test_the_doctors_effects_are_the_recorded_ones():
    effects = looks.doctor_effects()
    assert effects["aside_found"] == pytest.approx(53 / 55)
    assert effects["aside_alarms"] == pytest.approx(5 / 57)
    assert len(looks.wrong_names()) == 14


def test_every_patient_and_twin_is_recorded():
    kept = {(one["number"], one["healthy"], one["seed"]) for one in clinic.record()}
    seeds = {seed for _, _, seed in kept}
    wanted = {(n, h, s) for n in clinic.PATIENTS for h in (True, False) for s in seeds}
    assert kept == wanted
    table = looks.clinic_table()
    assert (table["score"] < 0.9 * table["twin"]).all()


def test_the_clinics_shares_are_those_of_near_and_far_patients():
    shares, patients = looks.clinic_shares(), len(clinic.PATIENTS)
    near = len(looks.NEAR) / patients
    mean = near * shares["near"] + (1 - near) * shares["far"]
    assert shares["named"] == pytest.approx(mean)


def test_of_the_surest_answers_the_right_ones_are_counted(monkeypatch):
    right, of = looks.clinic_sure()
    surest = [one for one in clinic.record() if one["said"] and not one["healthy"]]
    assert 0 <= right <= of <= len(surest)
    said = {1: "learning_rate_too_low", 2: "overfitting", 3: "overfitting"}
    told = [
        {"number": n, "healthy": n == 3, "said": [[cause, 0.9]]}
        for n, cause in said.items()
    ]
    told.append({"number": 4, "healthy": False, "said": [["unscaled_inputs", 0.5]]})
    told.append({"number": 5, "healthy": False, "said": []})
    monkeypatch.setattr(clinic, "record", lambda: told)
    assert looks.clinic_sure() == (1, 2)


def test_the_lab_holds_ten_patients_and_gives_no_cause_away():
    data = looks.lab_data()
    assert [one["number"] for one in data["patients"]] == list(clinic.PATIENTS)
    assert len(json.dumps(data)) < labs.MOST_BYTES
    for one in data["patients"]:
        assert one["right"][0] in data["choices"]
        shown = json.dumps([one["complaint"], one["settings"]])
        assert not any(cause in shown for cause in clinic.CHOICES)


def test_the_choices_are_the_doctors_names_but_for_one():
    assert {*clinic.CHOICES} - {*CAUSES} == {"harmful_augmentation"}


def test_drawings():
    assert len(looks.ladder_bars().patches) == 2 * len(looks.ladder())
    texts = [text.get_text() for text in looks.chain_drawing().texts]
    assert {*looks.CHAIN} <= {*texts}
