"""What a reader types leads to the right chapter, from a disk and without a network."""

from pathlib import Path
from urllib.parse import quote

import pytest
import site_checks as checks
import yaml

ROOT = Path(__file__).parents[1]
SITE = ROOT / "_build" / "html"

pytestmark = pytest.mark.site

# none of them stands in _ext/search/words.yml as it is, but where a reader could not
# put it otherwise
QUERIES = {
    "loss not decreasing": "03_vanishing_gradients",
    "my loss does not decrease": "03_vanishing_gradients",
    "network is stuck and does not learn": "03_vanishing_gradients",
    "vanishing gradient": "03_vanishing_gradients",
    "nan loss": "08_gradient_clipping",
    "loss is nan after a few steps": "08_gradient_clipping",
    "exploding gradient": "08_gradient_clipping",
    "clip_by_norm or clip_by_value": "08_gradient_clipping",
    "accuracy stuck at": "01_first_network",
    "which loss function should I use": "01_first_network",
    "overfit": "12_overfitting",
    "overfitting": "12_overfitting",
    "validation loss goes up": "12_overfitting",
    "train accuracy high test accuracy low": "12_overfitting",
    "how much dropout": "12_overfitting",
    "which optimizer": "09_optimizers",
    "choose the learning rate": "10_learning_rate",
    "random search vs grid search": "16_hyperparameter_tuning",
    "trial stuck running": "17_tuning_at_scale",
    "distributed hyperparameter search": "17_tuning_at_scale",
    "pretrained weights": "15_transfer_and_ensembles",
    "ensemble of networks": "15_transfer_and_ensembles",
    "all weights zero": "05_initialization",
    "He or Xavier init": "05_initialization",
    "batchnorm small batch": "06_normalization",
    "layer normalization": "06_normalization",
    "how many seeds do I need": "02_fair_comparison",
    "data leak": "02_fair_comparison",
    "is model A better than model B": "02_fair_comparison",
    "training is too slow": "18_efficient_training",
    "quantize to int8": "18_efficient_training",
    "imbalanced classes": "14_data",
    "how much data do i need": "14_data",
    "how to debug a network": "19_monitoring",
    "learn a single batch by heart": "19_monitoring",
    "grad-cam heatmap": "19_monitoring",
    "tensorboard logs": "19_monitoring",
    "gradient boosting or network": "20_capstone",
    "split by date": "20_capstone",
}


@pytest.fixture(scope="module")
def search(browser):
    """Return a function that types a query into the search's page."""
    seen = checks.open_page(browser, f"{(SITE / 'search.html').as_uri()}?q=loss")

    def results(query: str) -> list[str]:
        seen.page.locator(".bd-search-container input").fill(query)
        seen.page.keyboard.press("Enter")
        links = seen.page.locator("#search-results > li > a")
        return [link.get_attribute("href") for link in links.all()]

    yield results
    assert not seen.faults
    seen.page.context.close()


@pytest.mark.parametrize("query", QUERIES)
def test_the_right_chapter_is_among_the_first_two(query, search):
    found = search(query)
    assert any(QUERIES[query] in link for link in found[:2]), found[:5]


def test_results_lead_to_sections(search):
    found = search("early stopping patience")
    assert any("#" in link for link in found)
    for link in found:
        page, _, anchor = link.partition("#")
        assert anchor in checks.anchors(SITE / page), link


def test_a_misspelt_word_and_the_beginning_of_one_are_enough(search):
    assert any("12_overfitting" in link for link in search("regularisation dropuot"))
    assert any("08_gradient_clipping" in link for link in search("clipp"))


def test_the_package_and_the_glossary_are_found(search):
    assert any("appendix/api.html#nnperf_utils" in x for x in search("load_digits"))
    assert any("glossary.html#term-" in x for x in search("mini-batch"))


def test_code_is_not_searched_and_nothing_is_said_to_be_nothing(search, browser):
    assert search("figsize") == []
    seen = checks.open_page(browser, f"{(SITE / 'search.html').as_uri()}?q=zzqq")
    told = seen.page.locator("#search-status")
    assert told.inner_text() == "Nothing for “zzqq”. Try one word of it."
    seen.page.context.close()


def test_what_is_typed_is_text(browser):
    typed = "<img src=x>zzqq"
    address = f"{(SITE / 'search.html').as_uri()}?q={quote(typed)}"
    seen = checks.open_page(browser, address)
    assert typed in seen.page.locator("#search-status").inner_text()
    assert seen.page.locator("img[src=x]").count() == 0
    assert not seen.faults
    seen.page.context.close()


def test_every_page_that_readers_ask_for_is_there():
    words = yaml.safe_load((ROOT / "_ext/search/words.yml").read_text("utf-8"))
    for place in words["asked"]:
        page, _, anchor = place.partition("#")
        assert anchor in checks.anchors(SITE / f"{page}.html"), place
    for chapter in (ROOT / "chapters").glob("*.ipynb"):
        assert f"chapters/{chapter.stem}" in words["asked"], "add what readers type"
