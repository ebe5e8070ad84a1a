"""Every state of the page, on a phone and a desktop, light and dark."""

import pytest

import audit
import gallery

PHONE, DESKTOP = (360, 740), (1280, 900)
HOSTILE = "<script>alert(\"x\")</script>'&\\{}"

sizes = pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
schemes = pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])


@sizes
@pytest.mark.parametrize("state", gallery.STATES)
def test_a_state(browser, states, state, size):
    with browser.tab(width=size[0], height=size[1], scripts=False) as tab:
        tab.open(states.url(state))
        assert tab.evaluate("document.styleSheets.length") == 1, "the style is there"
        audit.check(tab)
        # as the script leaves it when the connection is lost
        tab.evaluate("document.body.className = 'follows lost'")
        audit.check(tab)
        assert not tab.complaints


def test_the_colours_are_those_that_the_reader_prefers(browser, states):
    colours = set()
    with browser.tab(scripts=False) as tab:
        tab.open(states.url("in-sync"))
        for dark in (False, True):
            tab.media(dark=dark)
            colours.add(tab.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert len(colours) == 2


def test_a_state_in_between(browser, states):
    """No width between a phone's and a desktop's is forgotten: a tablet, and half a screen."""
    with browser.tab(scripts=False) as tab:
        for state in ("errors", "longest"):
            tab.open(states.url(state))
            for width in (320, 480, 600, 767, 768, 769, 1024, 1920):
                tab.resize(width, 900)
                audit.check(tab)


def test_the_states_are_told_by_words(browser, states):
    """In the title, at the top, and for each thing that is not well; all four occur."""
    seen = {}
    with browser.tab(scripts=False) as tab:
        for state in gallery.STATES:
            tab.open(states.url(state))
            level = tab.evaluate("document.querySelector('.verdict .level').textContent")
            title = tab.evaluate("document.title")
            assert title.startswith(f"ESDDNS: {level}"), title
            headline = tab.evaluate("document.querySelector('h1').textContent")
            assert level == "all is well" or headline in title, title
            seen[level] = seen.get(level, []) + [state]
    assert set(seen) == {"all is well", "under way", "warning", "failure"}, seen


def test_what_is_stale_is_told_and_does_not_look_well(browser, states):
    with browser.tab(scripts=False) as tab:
        tab.open(states.url("in-sync"))
        well = tab.evaluate("getComputedStyle(document.querySelector('.votes .chip')).color")
        tab.open(states.url("stale"))
        assert "The detector does not answer. This is what it said 11 min 42 s ago." in tab.text()
        assert tab.evaluate("document.querySelector('#wan4').closest('.stale') !== null")
        for chip in ("#leader ~ p .chip", ".votes .chip"):
            assert tab.evaluate(f"getComputedStyle(document.querySelector('{chip}')).color") != well


@sizes
def test_hostile_texts_are_text(browser, states, size):
    """With scripts allowed: nothing that came from outside becomes one."""
    with browser.tab(width=size[0], height=size[1]) as tab:
        tab.open(states.url("hostile"))
        assert tab.text().count(HOSTILE) >= 8
        assert tab.evaluate("document.querySelectorAll('main :is(script, i, b)').length") == 0
        assert tab.evaluate("document.scripts.length") == 1
        assert not [c for c in tab.complaints if "events" not in c], tab.complaints


def test_texts_from_right_to_left_turn_nothing_around(browser, states):
    with browser.tab(scripts=False) as tab:
        tab.open(states.url("longest"))
        turned = tab.evaluate("""(() => {
          const find = (text) => {
            const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
            while (walker.nextNode())
              if (walker.currentNode.nodeValue.includes(text)) return walker.currentNode;
          };
          const left = (node, i) => {
            const range = document.createRange();
            range.setStart(node, i);
            range.setEnd(node, i + 1);
            return range.getBoundingClientRect().left;
          };
          return ["desrever", "The next attempt", "A person has to", "2001:4860"].map((text) => {
            const node = find(text), i = node.nodeValue.indexOf(text);
            return left(node, i) > left(node, i + 1);
          });
        })()""")
        assert turned == [True, False, False, False]


@schemes
def test_the_keyboard_reaches_every_link_and_is_seen(browser, states, dark):
    with browser.tab(dark=dark, scripts=False) as tab:
        tab.open(states.url("errors"))
        links = tab.evaluate("[...document.links].map((a) => a.textContent)")
        reached = []
        for _ in links:
            tab.press("Tab", code=9)
            reached.append(tab.evaluate("document.activeElement.textContent"))
            assert not audit.findings(tab, "focus")
        assert reached == links and "JSON" in links


@sizes
def test_a_page_that_is_not_there(browser, steady, size):
    with browser.tab(width=size[0], height=size[1]) as tab:
        tab.open(f"http://127.0.0.1:{steady.port}/api/nothing")
        assert "There is nothing here" in tab.evaluate("document.title")
        assert tab.evaluate("document.styleSheets[0].cssRules.length") > 50
        assert not audit.findings(tab, "contrasts", "places", "targets")
        assert all("404" in c for c in tab.complaints), tab.complaints


def test_the_checks_find_what_they_are_for(browser, states):
    """A check that finds nothing in a page that was spoiled would prove nothing."""
    spoil = {
        "contrasts": "document.querySelector('.chip').style.color = '#9a9'",
        "places": "document.querySelector('h1').style.whiteSpace = 'nowrap'",
        "targets": "document.links[0].style.padding = 0",
        "structure": "document.querySelector('th').removeAttribute('scope')",
        "words": "document.querySelector('.chip.bad').textContent ="
                 " document.querySelector('.chip.good').textContent",
        "focus": "document.links[0].focus(); document.links[0].style.outline = 'none'",
    }
    with browser.tab(width=360, height=740, scripts=False) as tab:
        for check, how in spoil.items():
            tab.open(states.url("errors"))
            tab.evaluate(how)
            assert audit.findings(tab, check), check
