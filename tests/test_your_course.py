"""The reader's way through the built site: first page, a chapter's end, your course."""

import json
import re
from pathlib import Path

import pytest
import site_checks as checks
from playwright.sync_api import expect
from scipy.stats import binomtest

ROOT = Path(__file__).parents[1]
SITE = ROOT / "_build" / "html"
COURSE, FIRST, PLAY = "your_course.html", "intro.html", "two_minutes.html"
DAY = 24 * 60 * 60 * 1000

pytestmark = pytest.mark.site


def data(page: str, name: str):
    """Return what a page holds for its script."""
    return json.loads(checks.soup(SITE / page).select_one(f"script.{name}").string)


def chapters() -> list[dict]:
    return data(COURSE, "course-data")["chapters"]


def asked() -> dict:
    """Return a chapter that asks all kinds of questions in the page."""
    kinds = {"predict", "quiz", "lab"}
    return next(c for c in chapters() if kinds <= {i["kind"] for i in c["items"]})


def items(kind: str, chapter: dict | None = None) -> list[dict]:
    found = (chapter or asked())["items"]
    return [one for one in found if one["kind"] == kind]


def number_asked() -> dict:
    """Return a question for a number that is not zero: factors need one."""
    found = (one for chapter in chapters() for one in items("predict", chapter))
    return next(one for one in found if one["type"] == "value" and one["measured"])


class Reader:
    """A reader with one browser: storage stays from page to page."""

    def __init__(self, browser):
        self.visit = checks.open_page(browser, (SITE / COURSE).as_uri())
        self.page = self.visit.page

    def go(self, page: str):
        # away first: another anchor alone would not load the page anew
        self.page.goto("about:blank")
        self.page.goto((SITE / page).as_uri())
        return self.page

    def keep(self, **parts):
        """Put this into the device's storage, as if answered before."""
        told = json.dumps({"version": 1} | parts)
        self.page.evaluate("text => localStorage.setItem('nnperf', text)", told)

    def kept(self) -> dict:
        return json.loads(self.page.evaluate("localStorage.getItem('nnperf')"))

    def part(self, name: str):
        return self.page.locator(f'[data-part="{name}"]')

    def ago(self, days: float) -> str:
        return self.page.evaluate(
            "ago => new Date(Date.now() - ago).toISOString()", days * DAY
        )

    def count(self, label: str) -> int:
        text = self.part("summary").locator("li", has_text=label).locator("b")
        return int(text.inner_text())

    def tick(self, chapter: dict):
        name = f"{chapter['number']} · {chapter['title']}"
        link = self.page.locator(".bd-links a.reference", has_text=name)
        return link.locator(".course-tick")


@pytest.fixture
def reader(browser):
    found = Reader(browser)
    yield found
    asked_for = [url for url in found.visit.requests if not url.startswith("about:")]
    assert not [url for url in asked_for if not url.startswith(("file:", "blob:"))]
    assert found.visit.faults == []
    found.page.context.close()


# --- your course ----------------------------------------------------------------------


def test_what_is_done_in_a_chapter_appears(reader):
    chapter = asked()
    quizzes, guesses = items("quiz"), items("predict")
    choice = next(one for one in guesses if one["type"] == "options")
    expect(reader.part("calibration")).to_contain_text("Nothing yet")
    assert reader.count("quiz questions answered") == 0
    page = reader.go(chapter["page"])
    expect(reader.tick(chapter)).to_have_count(0)

    section = page.locator(f"#predict-{choice['id']}")
    section.scroll_into_view_if_needed()
    section.get_by_role("radio").nth(choice["measured"]).check()
    section.get_by_role("combobox").select_option("80")
    section.get_by_role("button", name="Commit").click()
    for quiz in quizzes:
        section = page.locator(f"#quiz-{quiz['id']}")
        section.scroll_into_view_if_needed()
        section.get_by_role("radio").first.check()
        section.get_by_role("button", name="Commit").click()
    end = page.locator('[data-kind="end"]')
    end.scroll_into_view_if_needed()
    expect(reader.tick(chapter)).to_have_attribute("aria-label", re.compile("of"))
    end.get_by_role("button", name="I have read it").press("Enter")
    expect(end).to_contain_text("You have finished this chapter.")
    expect(end.get_by_role("button", name="Not read")).to_be_focused()
    expect(reader.tick(chapter)).to_have_attribute("aria-label", "finished")

    end.get_by_role("link", name="Your course").click()
    page.wait_for_url(f"**/{COURSE}")
    expect(reader.tick(chapter)).to_have_text("✓")
    assert reader.count("chapters finished") == 1
    assert reader.count("quiz questions answered") == len(quizzes)
    assert reader.count("predictions made") == 1
    expect(reader.part("calibration")).to_contain_text("Of 1 choice, 1 was right")
    box = reader.part("chapters").locator(f'[data-name="{chapter["name"]}"]')
    box.locator("summary").click()
    expect(box).to_contain_text("80% sure")
    expect(box.get_by_text("no guess yet")).to_have_count(len(guesses) - 1)
    # each of its lines leads to its question
    for link in box.locator("li a").all():
        place = link.get_attribute("href").partition("#")[2]
        assert place in checks.anchors(SITE / chapter["page"])


def test_a_chapter_is_not_finished_while_its_quiz_waits(reader):
    chapter = asked()
    reader.keep(chapters={chapter["name"]: {"read": reader.ago(0)}})
    page = reader.go(chapter["page"])
    end = page.locator('[data-kind="end"]')
    end.scroll_into_view_if_needed()
    left = len(items("quiz"))
    expect(end).to_contain_text(f"{left} of {left} questions wait")
    expect(reader.tick(chapter)).not_to_have_text("✓")
    end.get_by_role("button", name="Not read").click()
    expect(reader.tick(chapter)).to_have_count(0)


def guesses_of(reader, sures, days=0.0):
    """Return records of the course's choices: right or not, and how sure."""
    choices = [
        one
        for chapter in chapters()
        for one in items("predict", chapter)
        if one["type"] == "options"
    ]
    assert len(choices) >= len(sures)
    return {
        one["id"]: {
            "kind": "options",
            "said": one["measured"] if right else (one["measured"] + 1) % 2,
            "sure": sure,
            "at": reader.ago(days),
        }
        for one, (right, sure) in zip(choices, sures, strict=False)
    }


def test_calibration_is_the_share_right_against_how_sure(reader):
    reader.keep(predictions=guesses_of(reader, [(True, 95), (False, 95)]))
    reader.page.reload()
    part = reader.part("calibration")
    expect(part).to_contain_text(
        "Of 2 choices, 1 was right; on average you were 95% sure"
    )
    # the interval of 1 of 2 by Wilson, as scipy has it
    low, high = binomtest(1, 2).proportion_ci(method="wilson")
    expect(part).to_contain_text(f"interval of your share is {low:.0%} to {high:.0%}")
    expect(part).to_contain_text("You are surer than you are right.")
    picture = part.locator("svg")
    expect(picture).to_have_attribute(
        "aria-label", "Share right against how sure: of 2 at 95%, 1 right."
    )


def test_numbers_are_compared_as_factors(reader):
    one = number_asked()
    said = one["measured"] * 4
    low, high = one["between"]
    said = said if low <= said <= high else one["measured"] / 4
    guess = {"kind": "value", "said": said, "at": reader.ago(10)}
    reader.keep(predictions={one["id"]: guess})
    reader.page.reload()
    row = reader.part("calibration").locator("tbody tr")
    expect(row.locator("td").last).to_have_text("4.0")
    expect(reader.part("calibration")).to_contain_text("0 are within a factor of 2")
    # and so its chapter comes back, a week after
    expect(reader.part("repeat")).to_contain_text("1 of 1 guess far off")


@pytest.mark.parametrize(
    ("is_right", "days", "due"),
    [(False, 0.5, False), (False, 1.5, True), (True, 20, False), (True, 31, True)],
)
def test_questions_come_back_by_time(is_right, days, due, reader):
    quiz = items("quiz")[0]
    said = quiz["right"] if is_right else (quiz["right"] + 1) % quiz["answers"]
    reader.keep(quizzes={quiz["id"]: {"said": said, "at": reader.ago(days)}})
    reader.page.reload()
    shown = reader.part("repeat").locator("> ul > li")
    expect(shown).to_have_count(int(due))
    if due:
        goal = f"{asked()['page']}#quiz-{quiz['id']}"
        expect(shown.locator("a")).to_have_attribute("href", goal)
    elif not is_right:
        expect(reader.part("repeat").locator("details")).to_contain_text("1 to come")


def test_written_forgotten_and_read_again(reader, tmp_path):
    quiz, (play, *_) = items("quiz")[0], data(FIRST, "self-test-data")["questions"]
    mine = {
        "quizzes": {
            quiz["id"]: {"said": quiz["right"], "at": reader.ago(3)},
            play["id"]: {"said": 0, "at": reader.ago(3)},
        },
        "predictions": guesses_of(reader, [(True, 60)]),
        "labs": {items("lab")[0]["id"]: {"reached": reader.ago(3)}},
        "chapters": {asked()["name"]: {"read": reader.ago(3)}},
    }
    reader.keep(**mine)
    page = reader.page
    page.reload()
    before = len(reader.visit.requests)
    with page.expect_download() as download:
        reader.part("keep").get_by_role("button", name="Write it to a file").click()
    assert download.value.suggested_filename == "your-course.json"
    path = tmp_path / "your-course.json"
    download.value.save_as(path)
    assert mine.items() <= json.loads(path.read_text("utf-8")).items()

    forget = reader.part("keep").get_by_role("button", name="Forget …")
    forget.press("Enter")
    keep = reader.part("keep").get_by_role("button", name="Keep it")
    expect(keep).to_be_focused()
    keep.press("Enter")
    expect(forget).to_be_focused()
    assert reader.count("quiz questions answered") == 1
    forget.click()
    reader.part("keep").get_by_role("button", name="Forget all of it").click()
    expect(reader.part("keep").get_by_role("status")).to_contain_text("has forgotten")
    assert "nnperf" not in page.evaluate("Object.keys(localStorage)")
    assert reader.count("quiz questions answered") == 0
    expect(page.locator(".course-tick")).to_have_count(0)

    page.locator("input[type=file]").set_input_files(path)
    said = reader.part("keep").get_by_role("status")
    expect(said).to_have_text("5 entries were taken over from your-course.json.")
    assert reader.count("labs reached") == 1
    asked_for = reader.visit.requests[before:]
    # the browser itself may be late with the page's icon
    own = [url for url in asked_for if not url.endswith("favicon.svg")]
    assert [url for url in own if not url.startswith("blob:")] == []
    page.reload()
    assert mine.items() <= reader.kept().items()


FILES = {
    "damaged": ('{"version": 1, "quiz', "is not JSON"),
    "another file": ('{"cells": []}', "is no export of this page"),
    "a list": ("[1, 2]", "is no export of this page"),
    "old": ('{"version": 0, "quizzes": {}}', "has version 0, and this page reads"),
    "no version": ('{"quizzes": {}}', "has version undefined"),
    "large": (" " * 1_000_001, "is too large"),
}


@pytest.mark.parametrize("kind", FILES)
def test_a_file_that_does_not_fit_changes_nothing_and_is_told(kind, reader, tmp_path):
    content, told = FILES[kind]
    quiz = items("quiz")[0]
    reader.keep(quizzes={quiz["id"]: {"said": 0}})
    reader.page.reload()
    before = reader.kept()
    path = tmp_path / "mine.json"
    path.write_text(content, "utf-8")
    reader.page.locator("input[type=file]").set_input_files(path)
    said = reader.part("keep").get_by_role("status")
    expect(said).to_contain_text(told)
    expect(said).to_contain_text("Nothing was changed.")
    assert reader.kept() == before


def test_of_a_file_only_what_fits_the_course_is_taken(reader, tmp_path):
    quiz, other = items("quiz")[:2]
    number = number_asked()
    told = {
        "version": 1,
        "quizzes": {
            quiz["id"]: {"said": 0},
            other["id"]: {"said": 99},
            "gone": {"said": 1},
            "seen": {"order": [1, 0]},
        },
        "predictions": {number["id"]: {"kind": "value", "said": "<b>much</b>"}},
        "labs": 3,
        "chapters": {"__proto__": {"read": "now"}, asked()["name"]: {"read": "never"}},
        "more": {},
    }
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(told), "utf-8")
    reader.page.locator("input[type=file]").set_input_files(path)
    said = reader.part("keep").get_by_role("status")
    expect(said).to_have_text(
        "1 entry was taken over from mine.json. 5 others did not fit this course, and "
        "were left out."
    )
    kept = reader.kept()
    assert kept.pop("quizzes") == {quiz["id"]: {"said": 0}}
    assert kept == {"version": 1, "predictions": {}, "labs": {}, "chapters": {}}


@pytest.mark.parametrize(
    "found",
    [
        "not JSON",
        "[1]",
        '{"version": 0, "quizzes": {}}',
    ],
)
def test_damaged_storage_is_survived_and_told_in_a_sentence(found, reader):
    page = reader.page
    page.evaluate("found => localStorage.setItem('nnperf', found)", found)
    page.reload()
    expect(reader.part("summary")).to_contain_text("cannot be read")
    assert reader.count("quiz questions answered") == 0
    page = reader.go(asked()["page"])
    end = page.locator('[data-kind="end"]')
    end.scroll_into_view_if_needed()
    end.get_by_role("button", name="I have read it").click()
    reader.go(COURSE)
    expect(reader.part("summary")).not_to_contain_text("cannot be read")
    assert asked()["name"] in reader.kept()["chapters"]


def test_records_that_fit_no_question_are_passed_over(reader):
    quiz, guess = items("quiz")[0], items("predict")[0]
    reader.keep(
        quizzes={quiz["id"]: {"said": 99, "at": 3}, "gone": {"said": 0}},
        predictions={guess["id"]: {"kind": "curve", "said": None, "sure": "very"}},
        labs={"gone": {}},
        chapters={"99_gone": {"read": "?"}},
    )
    reader.page.reload()
    assert reader.count("quiz questions answered") == 0
    assert reader.count("predictions made") == 0
    expect(reader.part("summary")).not_to_contain_text("cannot be read")


def test_a_device_without_storage_is_told(reader):
    # the theme's own keys are left alone: it does not survive without them
    reader.page.add_init_script(
        """for (const name of ["getItem", "setItem", "removeItem"]) {
          const real = Storage.prototype[name];
          Storage.prototype[name] = function (key, ...more) {
            if (key === "nnperf") throw new DOMException("denied", "SecurityError");
            return real.call(this, key, ...more);
          };
        }"""
    )
    reader.page.reload()
    expect(reader.part("summary")).to_contain_text("keeps nothing on this device")


def test_everything_on_it_can_be_used_by_everybody(reader):
    quiz = items("quiz")[0]
    sures = [(True, 95), (False, 60)]
    reader.keep(
        quizzes={quiz["id"]: {"said": (quiz["right"] + 1) % 2, "at": reader.ago(2)}},
        predictions=guesses_of(reader, sures, days=9),
        chapters={asked()["name"]: {"read": reader.ago(3)}},
    )
    for theme in checks.THEMES:
        reader.page.emulate_media(color_scheme=theme)
        reader.go(COURSE)
        for summary in reader.page.locator(".course-part summary").all():
            summary.click()
        reader.part("keep").get_by_role("button", name="Forget …").click()
        assert checks.axe_faults(reader.page) == []
        assert checks.width_faults(reader.page) == []


def test_without_a_script_the_page_tells_what_there_is():
    page = checks.soup(SITE / COURSE).select_one('[data-part="chapters"]').get_text()
    for chapter in chapters():
        assert f"{chapter['number']} · {chapter['title']}" in page


# --- the first page -------------------------------------------------------------------


def test_the_button_leads_to_a_lab_that_answers_the_keyboard(reader):
    page = reader.go(FIRST)
    button = page.get_by_role("link", name="Play for two minutes")
    assert button.bounding_box()["y"] < checks.DESK["height"]
    button.press("Enter")
    page.wait_for_url(f"**/{PLAY}")
    lab = page.locator('.nnperf-lab[data-kind="lab"]')
    expect(lab).to_have_attribute("data-mounted", "true")
    assert lab.bounding_box()["y"] < checks.DESK["height"] / 2
    caption = lab.locator(".nnp-caption")
    before = caption.inner_text()
    lab.get_by_role("slider").first.press("ArrowRight")
    expect(caption).not_to_have_text(before)
    before = caption.inner_text()
    lab.get_by_role("button", name="100 steps").press("Enter")
    expect(caption).not_to_have_text(before)


def answer(reader, missed: set[int]):
    """Answer the test, the questions with these numbers wrong."""
    page = reader.go(FIRST)
    page.locator(".self-test > summary").press("Enter")
    questions = data(FIRST, "self-test-data")["questions"]
    texts = checks.soup(SITE / FIRST).select(".self-test .nnperf-lab")
    for number, (question, source) in enumerate(zip(questions, texts, strict=True)):
        told = json.loads(source.select_one("script.nnp-data").string)["answers"]
        place = question["right"]
        place = (place + 1) % len(told) if number in missed else place
        section = page.locator(f"#quiz-{question['id']}")
        section.scroll_into_view_if_needed()
        expect(section).to_have_attribute("data-mounted", "true")
        first = reader.page.locator(".self-test-proposal")
        expect(first).not_to_contain_text("right.")
        chosen = section.locator(f'input[value="a{place}"]')
        chosen.check()
        section.get_by_role("button", name="Commit").click()
    return questions


@pytest.mark.parametrize("missed", [{1, 4}, {0}, {7}, set()])
def test_the_self_test_proposes_the_first_chapter_that_was_missed(missed, reader):
    questions = answer(reader, missed)
    proposal = reader.page.locator(".self-test-proposal")
    right = len(questions) - len(missed)
    if not missed:
        expect(proposal).to_contain_text(f"All {right} right.")
        goal = "appendix/claims.html"
    else:
        expect(proposal).to_contain_text(f"{right} of {len(questions)} right.")
        first = questions[min(missed)]
        goal = first["page"]
        expect(proposal.get_by_role("link")).to_have_text(first["title"])
    expect(proposal.get_by_role("link")).to_have_attribute("href", goal)
    # it is kept, and is no part of any chapter's progress
    reader.page.reload()
    expect(proposal.locator("a")).to_have_attribute("href", goal)
    expect(reader.page.locator(".course-tick")).to_have_count(0)


def test_the_answered_self_test_can_be_used_by_everybody(reader):
    answer(reader, {2})
    for theme in checks.THEMES:
        reader.page.emulate_media(color_scheme=theme)
        reader.go(FIRST)
        reader.page.locator(".self-test > summary").click()
        for section in reader.page.locator(".self-test .nnperf-lab").all():
            section.scroll_into_view_if_needed()
            expect(section).to_have_attribute("data-mounted", "true")
        assert checks.axe_faults(reader.page) == []
        assert checks.width_faults(reader.page) == []


def test_a_mark_tells_its_claim_at_a_tap(browser):
    context = browser.new_context(
        viewport=checks.PHONE, has_touch=True, is_mobile=True, color_scheme="light"
    )
    page = context.new_page()
    page.goto((SITE / FIRST).as_uri())
    mark = page.locator(".at-a-glance .marks a").nth(3)
    told = mark.get_attribute("aria-label")
    verdict, _, statement = told.partition(": ")
    mark.tap()
    place = page.locator(".mark-told")
    expect(place).to_contain_text(statement)
    expect(place).to_contain_text(verdict)
    assert page.url.endswith(FIRST)
    goal = mark.get_attribute("href")
    link = place.get_by_role("link")
    expect(link).to_have_attribute("href", re.compile(re.escape(goal) + "$"))
    link.tap()
    page.wait_for_url(f"**/{goal}")
    context.close()


def test_a_mark_is_a_link_for_mouse_and_keyboard(reader):
    page = reader.go(FIRST)
    mark = page.locator(".at-a-glance .marks a").first
    mark.focus()
    expect(page.locator(".mark-told")).to_contain_text("See it measured")
    mark.press("Enter")
    page.wait_for_url("**#claim-*")


# --- the menu -------------------------------------------------------------------------


def test_chapters_carry_the_number_of_their_file():
    for chapter in chapters():
        page = checks.soup(SITE / chapter["page"])
        title = f"{chapter['number']} · {chapter['title']}"
        assert chapter["name"].startswith(chapter["number"])
        assert page.h1.get_text().startswith(title)
        assert page.title.get_text().strip().startswith(title)
        menu = checks.soup(SITE / FIRST).select_one(
            f'.bd-links a[href="{chapter["page"]}"]'
        )
        assert menu.get_text() == title


def test_ticks_come_from_another_tab_and_stand_on_every_page(reader):
    first, second = chapters()[:2]
    quizzes = {one["id"]: {"said": 0} for one in items("quiz", first)}
    reader.go("appendix/glossary.html")
    other = reader.page.context.new_page()
    other.goto((SITE / COURSE).as_uri())
    read = {first["name"]: {"read": reader.ago(0)}}
    text = json.dumps({"version": 1, "quizzes": quizzes, "chapters": read})
    other.evaluate("text => localStorage.setItem('nnperf', text)", text)
    expect(reader.tick(first)).to_have_attribute("aria-label", "finished")
    expect(reader.tick(second)).to_have_count(0)
    for theme in checks.THEMES:
        reader.page.emulate_media(color_scheme=theme)
        assert checks.axe_faults(reader.page) == []
