"""The page of a running system, with scripts and without."""

import http.server
import itertools
import threading

import pytest

import audit
import webclient
from conftest import RECORDS, running
from waiting import wait_for

ADDRESSES = (f"198.20.1.{n}" for n in itertools.count(1))
LIVE = "document.getElementById('link').textContent === 'Live'"
LOST = "document.getElementById('link').textContent === 'Connection lost'"
CONNECTION = ("net::ERR_", "Failed to load resource")


def page_of(system):
    return f"http://127.0.0.1:{system.port}/"


def check_origin(tab, system):
    """Nothing was asked of anybody else."""
    assert tab.requests and all(url.startswith(page_of(system)) for url in tab.requests), \
        tab.requests


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "plain"])
def test_everything_is_there(browser, steady, scripts):
    state = steady.state()
    with browser.tab(scripts=scripts) as tab:
        tab.open(page_of(steady))
        if scripts:
            tab.wait(LIVE, "it follows")
        text = tab.text()
        for record, wanted in zip(state["records"], RECORDS):
            row = tab.evaluate("[...document.querySelectorAll('.records tbody')].map((e) => "
                               f"e.innerText)[{RECORDS.index(wanted)}]")
            for word in (record["fqdn"], wanted["type"], record["wanted"], *record["values"],
                         f"TTL {wanted['ttl']} s", "in sync", "ago", "next in", "written"):
                assert word in row, f"{word} in {row}"
        for family in ("ipv4", "ipv6"):
            wan = state["wan"][family]
            since = wan["detected_at"].replace("T", " ").replace("Z", " UTC")
            assert wan["address"] in text and f"Since {since}" in text
            assert f"{wan['answered']} of {wan['asked']} operators answered" in text
        votes = tab.evaluate("[...document.querySelectorAll('.votes tbody tr')].map((r) => "
                             "[...r.cells].map((c) => c.innerText))")
        for vote in state["wan"]["ipv4"]["votes"]:
            found = [v for v in votes if v[0] == vote["operator"] and v[2] == vote["answer"]]
            assert found and found[0][1] == vote["kind"] and found[0][3] == "agrees"
            assert found[0][4].endswith("s"), "the time it took"
        for word in (state["leader"]["holder"], "This instance, since", "Epoch", "detector",
                     "updater", "webd", state["records"][0]["href"]):
            assert word in text, word
        assert tab.evaluate("document.querySelectorAll('.spells rect').length") >= 2
        assert ("Live" in text) == scripts and ("As of 20" in text) != scripts
        audit.check(tab)
        assert not tab.complaints
        check_origin(tab, steady)


def test_a_change_comes_without_a_reload(browser, steady, box):
    new = next(ADDRESSES)
    with browser.tab(width=360, height=740) as tab:
        tab.open(page_of(steady))
        tab.wait(LIVE, "it follows")
        tab.evaluate("document.body.dataset.mark = 'the same document'; scrollTo(0, 300)")
        box.set_wan(new)
        steady.detect()
        tab.wait(f"document.querySelector('h1').textContent.includes('{new}')", "the new address")
        tab.wait(f"document.querySelector('.changes').innerText.includes('{new}')",
                 "the timeline has it")
        assert tab.evaluate("document.body.dataset.mark") == "the same document"
        assert tab.evaluate("scrollY") == 300, "the reader is where he was"
        # who does not see it is told once what the headline says, and nothing of ages
        tab.wait("document.title === 'ESDDNS: all is well'", "the title follows")
        tab.wait("document.getElementById('news').textContent ==="
                 " document.querySelector('h1').textContent", "the news are told")
        assert tab.evaluate("document.querySelectorAll('[role=status] [data-age]').length") == 0
        audit.check(tab)
        assert not tab.complaints
        check_origin(tab, steady)


def test_a_change_comes_with_a_reload(browser, steady, states, box):
    """Without scripts the page asks the browser to load it again, and says so."""
    new = next(ADDRESSES)
    with browser.tab(scripts=False) as tab:
        tab.open(page_of(steady))
        assert "loaded again every 30 s" in tab.text()
        assert tab.evaluate("document.querySelector('meta[http-equiv=refresh]').content") == "30"
        tab.open(states.url("quick"))
        tab.evaluate("document.body.dataset.mark = 'the same document'")
        box.set_wan(new)
        steady.detect()
        tab.wait(f"document.querySelector('h1').textContent.includes('{new}')", "the new address")
        assert tab.evaluate("document.body.dataset.mark") is None
        assert not tab.complaints
    with browser.tab() as tab:
        tab.open(page_of(steady))
        assert tab.evaluate("document.querySelector('meta[http-equiv=refresh]')") is None
        assert "loaded again" not in tab.text()


def test_ages_count(browser, steady):
    """Each second, without a request, and what says the same stays the same."""
    ages = "[...document.querySelectorAll('[data-age]')].map((e) => e.textContent).join()"
    with browser.tab() as tab:
        tab.open(page_of(steady))
        tab.evaluate("window.fetch = () => new Promise(() => {})")
        before = tab.evaluate(ages)
        left = tab.evaluate("document.querySelector('[data-left]').textContent")
        tab.wait(f"{ages} !== {before!r}", "the ages grow")
        tab.wait(f"document.querySelector('[data-left]').textContent !== {left!r}",
                 "what is left shrinks")
        assert not tab.complaints


def test_text_that_is_selected_can_be_copied(browser, steady, box):
    """Mere ages wait until that is done; a new headline does not."""
    new = next(ADDRESSES)
    with browser.tab() as tab:
        tab.open(page_of(steady))
        tab.wait(LIVE, "it follows")
        tab.evaluate("""
          window.pages = 0;
          const ask = fetch;
          window.fetch = (...how) => ask(...how).finally(() => setTimeout(() => pages++, 100));
          getSelection().selectAllChildren(document.querySelector(".figure"))""")
        chosen = tab.evaluate("String(getSelection())")
        tab.evaluate("document.dispatchEvent(new Event('visibilitychange')); pages = 0")
        tab.wait("pages >= 2", "the page was asked for again")
        assert chosen and tab.evaluate("String(getSelection())") == chosen
        box.set_wan(new)
        steady.detect()
        tab.wait(f"document.querySelector('h1').textContent.includes('{new}')", "the new address")
        assert not tab.complaints


def test_a_lost_connection_is_told_and_found_again(browser, box):
    with running(box) as system, browser.tab(width=360, height=740) as tab:
        tab.open(page_of(system))
        tab.wait(LIVE, "it follows")
        tab.evaluate("document.body.dataset.mark = 'the same document'; scrollTo(0, 1000)")
        assert not tab.complaints
        system.stop()
        tab.wait(LOST, "it is told")
        tab.wait("/^ \\d+ s ago: .* out of date$/.test(document.getElementById('since')"
                 ".textContent)", "since when")
        assert tab.evaluate("document.title") == "ESDDNS: connection lost"
        place = tab.evaluate("document.querySelector('header').getBoundingClientRect().top")
        assert place == 0, "it is in sight wherever the reader is"
        tab.evaluate("scrollTo(0, 0)")
        audit.check(tab)
        system.start().wait_in_sync()
        tab.wait(LIVE, "it is found again")
        tab.wait("document.title === 'ESDDNS: all is well'", "all is well")
        assert tab.evaluate("document.body.className") == "follows"
        assert tab.evaluate("document.body.dataset.mark") == "the same document"
        assert all(any(word in c for word in CONNECTION) for c in tab.complaints), tab.complaints


def test_a_server_that_falls_silent_is_noticed(browser, steady):
    """The connection stands, but nothing comes: by the clock, which a test can put forward."""
    with browser.tab() as tab:
        tab.open(page_of(steady))
        tab.wait(LIVE, "it follows")
        tab.evaluate("(() => { const now = Date.now; Date.now = () => now() + 40000; })()")
        tab.wait(LOST, "it is told")
        tab.wait(LIVE, "a beat came")
        assert not tab.complaints


def test_the_policy_is_strict(steady):
    for path in ("/", "/nothing", "/style.css", "/page.js", "/icon.svg", "/raw"):
        headers = webclient.ask(steady.port, path).headers
        policy = dict(part.strip().partition(" ")[::2]
                      for part in headers["Content-Security-Policy"].split(";"))
        assert policy == {
            "default-src": "'none'", "style-src": "'self'", "script-src": "'self'",
            "connect-src": "'self'", "img-src": "'self'", "base-uri": "'none'",
            "form-action": "'none'", "frame-ancestors": "'none'"}, path
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert headers["Cache-Control"] == "no-store"


def test_the_policy_holds(browser, steady):
    """What a hole in the page could bring in does nothing: inline, by eval, or from elsewhere."""
    asked = []

    class Elsewhere(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    elsewhere = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        with browser.tab() as tab:
            tab.open(page_of(steady))
            tab.evaluate(f"""(() => {{
              window.refused = [];
              addEventListener("securitypolicyviolation",
                (e) => refused.push(e.effectiveDirective));
              const add = (tag, set) =>
                document.body.append(Object.assign(document.createElement(tag), set));
              add("script", {{ textContent: "window.evil = 1" }});
              add("script", {{ src: "{elsewhere}/script" }});
              add("style", {{ textContent: "main {{ display: none }}" }});
              add("img", {{ src: "{elsewhere}/img" }});
              add("iframe", {{ src: "{elsewhere}/frame" }});
              fetch("{elsewhere}/fetch").catch(() => 0);
            }})()""")
            wanted = {"script-src-elem", "style-src-elem", "img-src", "frame-src", "connect-src"}
            wait_for(lambda: set(tab.evaluate("refused")) >= wanted, "all are refused",
                     evidence=lambda: str(tab.evaluate("refused")))
            assert tab.evaluate("window.evil === undefined")
            assert tab.evaluate("getComputedStyle(document.querySelector('main')).display") \
                == "block"
    finally:
        server.shutdown()
        server.server_close()
    assert not asked


def test_nobody_else_may_frame_the_page(browser, steady, states):
    """Asked by a page of another origin, the browser shows an error in its place."""
    frame = f"<!DOCTYPE html><iframe src='{page_of(steady)}'></iframe>".encode()

    class Framing(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(frame)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Framing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with browser.tab() as tab:
            tab.open(f"http://127.0.0.1:{server.server_address[1]}/")
            wait_for(lambda: tab.evaluate("1") and
                     [c for c in tab.complaints if "frame-ancestors" in c], "it is refused",
                     evidence=lambda: str(tab.complaints))
    finally:
        server.shutdown()
        server.server_close()
