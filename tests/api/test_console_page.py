"""The page over a filled and over an empty console, in a real browser: readable, quiet, and usable by keyboard."""

from __future__ import annotations

import re
import time
from pathlib import Path

import click
import pytest
from api_builders import Log, app
from axe_playwright_python.sync_playwright import Axe
from console_scene import RUNBOOK, fill, performance
from page_server import CHROMIUM, browsing, photograph, serving, watched
from playwright.sync_api import expect

from infra import topology_map
from infra.cli import COMMANDS, sluice
from schemas import codec, topics
from schemas.units import DAY_MS
from serving.api import letters
from serving.api.answers import ReplayAnswer
from serving.console.console import Console
from serving.console.jobs import PartShown
from serving.console.models import ModelShown, VersionShown
from tests.decisions import decision

# What is there once a view is drawn whole.
WHOLE = {
    "overview": ".newest tbody tr",
    "review": ".queue > li",
    "drift": ".measures tbody tr",
    "models": ".performance svg",
    "alerts": ".alerts > li",
    "system": ".letters > li",
}
VIEWS = tuple(WHOLE)
FILES = Path(letters.__file__).parent / "console"

with_browser = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed; make setup brings it")


def now_ms():
    return time.time_ns() // 1_000_000


@pytest.fixture(scope="module")
def browser():
    with browsing() as found:
        yield found


def filled(at_ms):
    console = Console(now_ms)
    fill(console, at_ms)
    console.take_jobs(
        {"running": {"score_transactions": 1.0}, "lag_records": {"score_transactions": 12.0}},
        [PartShown("flink", "127.0.0.1:9250", True), PartShown("api", "127.0.0.1:8000", False)],
    )
    versions = [
        VersionShown(str(n), "Production" if n == 2 else "Archived", 0, {"roc_auc": 0.9 + n / 100}) for n in (1, 2)
    ]
    console.take_models([ModelShown("fraud", "fraud", "2", versions, [])])
    return console


@pytest.fixture(scope="module")
def log():
    return Log()


@pytest.fixture(scope="module")
def scene_ms():
    """When the scene plays: once a run, for midnight may come between two tests of it."""
    return now_ms()


@pytest.fixture(scope="module")
def console(scene_ms):
    return filled(scene_ms)


@pytest.fixture(scope="module")
def address(console, log):
    replayed = {"transactions-0-1000": ReplayAnswer("transactions")}
    made = app(
        console=console,
        log=log,
        clock=now_ms,
        runbook={"score_shift": RUNBOOK}.get,
        replay=lambda one, _: replayed[one],
    )
    with serving(made) as found:
        yield found


@pytest.fixture(scope="module")
def empty_address():
    console = Console(now_ms)
    console.take_source("Prometheus", "Prometheus at http://127.0.0.1:9090: refused; start it with `sluice up`")
    with serving(app(console=console, clock=now_ms)) as found:
        yield found


def opened(browser, address, view, *, width=1280, theme="light"):
    page = browser.new_page(viewport={"width": width, "height": 860}, color_scheme=theme)
    complaints = watched(page)
    page.goto(f"{address}/#/{view}")
    page.get_by_text("live", exact=True).wait_for()
    page.locator(".panel").first.wait_for()
    return page, complaints


def serious(page):
    found = Axe().run(page).response["violations"]
    return [
        (one["id"], [node["target"] for node in one["nodes"]][:3])
        for one in found
        if one["impact"] in {"serious", "critical"}
    ]


@with_browser
@pytest.mark.parametrize(("width", "theme"), [(1280, "light"), (390, "dark")])
@pytest.mark.parametrize("view", VIEWS)
def test_a_view_is_readable_by_everybody_fits_its_window_and_does_not_complain(browser, address, view, width, theme):
    page, complaints = opened(browser, address, view, width=width, theme=theme)
    page.locator(WHOLE[view]).first.wait_for()
    photograph(page, f"{view}-{width}-{theme}")
    assert serious(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert complaints == []
    page.close()


@with_browser
@pytest.mark.parametrize(("width", "theme"), [(1280, "dark"), (390, "light")])
def test_the_other_theme_of_each_width_is_readable_too(browser, address, width, theme):
    page, complaints = opened(browser, address, "overview", width=width, theme=theme)
    for view in VIEWS:
        page.goto(f"{address}/#/{view}")
        page.locator(WHOLE[view]).first.wait_for()
        photograph(page, f"{view}-{width}-{theme}")
        assert serious(page) == [], view
    assert complaints == []
    page.close()


# Whether the middle of an element is what one sees there, and not something that lies over it.
SEEN = """node => {
  const { left, right, top, bottom } = node.getBoundingClientRect();
  return node.contains(document.elementFromPoint((left + right) / 2, (top + bottom) / 2));
}"""


@with_browser
def test_names_and_corner_of_a_narrow_heat_map_cover_what_scrolls_under_them(browser, address):
    page, _ = opened(browser, address, "drift", width=390)
    page.locator(WHOLE["drift"]).first.wait_for()
    cells = page.locator(".heat tbody tr:first-child .cell")
    cells.nth(2).evaluate("node => node.click()")
    scroll = page.get_by_role("region", name="Map of drift")
    for scrolled in (0, 40, 80, 120):
        scroll.evaluate("(node, left) => node.scrollLeft = left", scrolled)
        assert page.locator(".heat tbody th").first.evaluate(SEEN), scrolled
        assert page.locator(".heat thead th").first.evaluate(SEEN), scrolled
    page.close()


@with_browser
def test_the_keyboard_never_stands_on_a_cell_behind_the_names(browser, address):
    page, _ = opened(browser, address, "drift", width=390)
    page.locator(WHOLE["drift"]).first.wait_for()
    cells = page.locator(".heat tbody tr:first-child .cell")
    cells.last.focus()
    for _ in range(cells.count() - 1):
        page.keyboard.press("ArrowLeft")
        assert page.locator(":focus").evaluate(SEEN)
    page.close()


@with_browser
@pytest.mark.parametrize("view", VIEWS)
def test_an_empty_view_says_what_would_fill_it_and_is_readable(browser, empty_address, view):
    page, complaints = opened(browser, empty_address, view)
    page.locator("code").first.wait_for()
    photograph(page, f"{view}-empty")
    if view in {"alerts", "system"}:
        expect(page.get_by_text("Prometheus at http://127.0.0.1:9090: refused").first).to_be_visible()
    assert serious(page) == []
    assert complaints == []
    page.close()


@with_browser
def test_a_reviewer_works_with_the_keyboard_alone(browser, address, log):
    page, _ = opened(browser, address, "review")
    page.locator(".queue > li").first.focus()
    page.keyboard.press("ArrowDown")
    judged = page.evaluate("document.activeElement.dataset.id")
    page.keyboard.press("f")
    page.get_by_text("Fraud: the verdict on").wait_for()
    (label,) = log.events
    assert (label.transaction_id, label.is_fraud, label.source) == (judged, True, "review")
    page.close()


@with_browser
def test_rows_do_not_move_under_a_hand_that_is_about_to_judge(browser, address, console):
    page, _ = opened(browser, address, "review")
    first = page.locator(".queue > li").first
    before = first.get_attribute("data-id")
    first.hover()
    raw = codec.encode(decision("newest", now_ms(), decision="REVIEW"))
    console.take(topics.DECISIONS.name, raw, live=True)
    page.get_by_text("1 newer").wait_for()
    assert first.get_attribute("data-id") == before
    page.mouse.move(2, 2)
    page.locator(".queue > li[data-id=newest]").wait_for()
    assert first.get_attribute("data-id") == "newest"
    page.close()


@with_browser
def test_a_verdict_that_the_log_did_not_take_is_said_and_may_be_given_again(browser, address, log):
    log.down = True
    page, complaints = opened(browser, address, "review")
    page.locator(".queue button.good").first.click()
    page.get_by_text("send it again with the same event_id").wait_for()
    expect(page.locator(".queue button.good").first).to_be_enabled()
    log.down = False
    assert [one for one in complaints if "503" not in one] == []
    page.close()


@with_browser
def test_arrow_keys_move_over_the_map_of_drift_and_enter_opens_a_window(browser, address):
    page, _ = opened(browser, address, "drift")
    page.locator(".cell[tabindex='0']").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowLeft")
    name = page.evaluate("document.activeElement.dataset.cell").split("/")[1]
    page.keyboard.press("Enter")
    page.locator(".detail h3", has_text=name).wait_for()
    # Drawn once the page knows how wide it is.
    expect(page.locator(".detail svg rect.bar")).to_have_count(10)
    expect(page.locator(".detail .measures tbody tr")).to_have_count(2)
    page.close()


@with_browser
def test_a_model_shows_what_labels_said_of_its_days_and_the_estimate_until_they_do(browser, address, console, scene_ms):
    page, complaints = opened(browser, address, "models")
    drawn = page.locator(".performance svg")
    expect(drawn).to_have_attribute(
        "aria-label", re.compile(r"average precision of fraud over 48 days: labels say 0\.7\d+ of .*; the estimate of")
    )
    expect(drawn.locator("path.line:not(.bound)")).to_have_count(2)
    expect(drawn.locator("path.line.bound")).to_have_count(2)
    chosen = page.get_by_label("Figure of fraud in production")
    chosen.focus()
    chosen.select_option("roc_auc")
    expect(drawn).to_have_attribute("aria-label", re.compile("roc auc of fraud over 48 days"))
    # A new day is drawn when it is told, and what was chosen stays.
    for report in performance(scene_ms + DAY_MS, days=1, label_days=1):
        console.take(topics.DRIFT_REPORTS.name, codec.encode(report), live=True)
    expect(drawn).to_have_attribute("aria-label", re.compile("roc auc of fraud over 49 days"))
    expect(chosen).to_be_focused()
    assert complaints == []
    page.close()


@with_browser
@pytest.mark.parametrize(
    ("path", "view", "said"),
    [
        ("**/drift/performance?*", "models", ".performance .problem"),
        ("**/drift?*", "drift", ".map .problem"),
        ("**/drift/reports?*", "drift", ".detail .problem"),
        ("**/console/topology.json", "system", ".toast.bad"),
    ],
)
def test_a_question_that_the_api_does_not_answer_is_said_where_its_answer_would_be(browser, address, path, view, said):
    page = browser.new_page()
    refused = {"error": "the console is not connected", "way_out": "start sluice up"}
    page.route(path, lambda route: route.fulfill(status=503, json=refused))
    page.goto(f"{address}/#/{view}")
    page.locator(said, has_text="the console is not connected; start sluice up").first.wait_for()
    page.close()


@with_browser
def test_a_runbook_opens_and_a_dead_letter_is_played_back(browser, address):
    page, _ = opened(browser, address, "alerts")
    page.get_by_role("button", name="Runbook").click()
    assert "sluice models rollback fraud" in page.locator("dialog pre").inner_text()
    page.keyboard.press("Escape")
    page.goto(f"{address}/#/system")
    page.get_by_role("button", name="Play back", exact=True).first.click()
    page.get_by_text("Played back to transactions").wait_for()
    page.close()


@with_browser
def test_the_colours_a_person_chose_are_kept(browser, address):
    page, _ = opened(browser, address, "overview", theme="light")
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.locator("#theme").click()
    page.locator("#theme").click()
    page.reload()
    page.get_by_text("live", exact=True).wait_for()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != background
    page.close()


def test_every_command_that_the_page_shows_exists():
    shown = re.findall(r'"(sluice [^"]+)"', "".join(file.read_text() for file in FILES.glob("*.js")))
    assert len(shown) > 5
    for call in shown:
        words = call.split()[1:]
        assert words[0] in COMMANDS, call
        command = sluice.get_command(click.Context(sluice), words[0])
        if isinstance(command, click.Group):
            assert words[1] in command.commands, call
            command = command.commands[words[1]]
        known = {"--help"} | {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known, call


def test_the_page_names_no_address_outside():
    for file in FILES.iterdir():
        if file.suffix in {".js", ".css", ".html"}:
            assert set(re.findall(r"https?://[^\s\"']+", file.read_text())) <= {"http://www.w3.org/2000/svg"}, file.name


def test_the_jobs_are_drawn_as_the_catalogue_has_them():
    assert topology_map.FILE.read_text() == topology_map.render(), "run: python -m infra.topology_map"
