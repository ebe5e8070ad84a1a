#!/usr/bin/python3
"""Makes docs/page.png, the picture of the page in README: a running system against the sandbox.

    ESDDNS_BUILD=build/dev /usr/bin/python3 tests/browser/picture.py [FILE]

It needs root, for a host of another name, and Debian's python3-pil and fonts-inter: with a font
like most people's. The addresses are those that RFC 5737 keeps for documents; their history is put
into the state file, as weeks would have.
"""

import base64
import io
import json
import pathlib
import sys
import time

from PIL import Image

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "integration"), str(HERE.parent / "sandbox")]

import chromium  # noqa: E402
import client  # noqa: E402
import esddns  # noqa: E402

DAY = 86400
WAN = "203.0.113.42"
BEFORE = (("198.51.100.7", 23.4), ("203.0.113.9", 14.2), ("198.51.100.61", 9.6), (WAN, 3.3))
OPERATORS = {"ipify": ("alpha", "plain", 0.061), "cloudflare": ("bravo", "trace", 0.018),
             "icanhazip": ("charlie", "plain", 0.044), "google": ("stun1", "udp", 0.015),
             "nextcloud": ("stun2", "tcp", 0.038)}
DESKTOP, PHONE, HEIGHT = 890, 360, 1400
HOST = ["unshare", "--uts", "sh", "-c", "hostname gateway && exec \"$@\"", "sh"]
FONT = """<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig>
<include>/etc/fonts/fonts.conf</include>
<match><test name="family"><string>sans-serif</string></test>
<edit name="family" mode="prepend" binding="strong"><string>Inter</string></edit></match>
</fontconfig>"""
FRAME = """<!DOCTYPE html><body style="margin: 0; display: flex; justify-content: space-between;
background: #d5dcd9"><img src="data:image/png;base64,{}"><img src="data:image/png;base64,{}">"""


def configuration(box):
    sources = []
    for operator, (name, form, seconds) in OPERATORS.items():
        box.fault(name, mode="slow", seconds=seconds)
        sources.append({"operator": operator, "url": box.state["sources"][name][form]} |
                       ({"format": form} if form == "trace" else {}))
    return esddns.config_for(
        box, detector={"sources": sources, "allow_reserved": True, "interval": "300s"},
        updater={"interval": "300s"},
        records=[{"zone": "example.com", "name": "home", "type": "A", "ttl": 300}])


def grow_old(system):
    """What some weeks leave behind."""
    path = next(pathlib.Path(system.config["state_dir"]).glob("*.json"))
    state = json.loads(path.read_text())
    now = time.time()
    changes = [{"address": address, "at": int((now - days * DAY) * 1000)}
               for address, days in BEFORE]
    state["ipv4"]["changes"] = changes
    state["ipv4"]["detected_at"] = changes[-1]["at"]
    path.write_text(json.dumps(state, separators=(",", ":")) + "\n")


def photograph(browser, url, **how):
    with browser.tab(height=HEIGHT, **how) as tab:
        tab.open(url)
        tab.wait("document.getElementById('link').textContent === 'Live'", "it follows")
        tab.wait("/checked [2-5]. s ago/.test(document.body.innerText)", "some seconds pass", 60)
        return base64.b64encode(tab.picture()).decode()


def make(system, file):
    fonts = system.directory / "fonts.conf"
    fonts.write_text(FONT)
    url = f"http://127.0.0.1:{system.port}/"
    with chromium.Chromium(FONTCONFIG_FILE=str(fonts)) as browser:
        pictures = [photograph(browser, url, width=DESKTOP),
                    photograph(browser, url, width=PHONE, dark=True)]
        with browser.tab(width=1280, height=HEIGHT) as tab:
            tab.show(FRAME.format(*pictures))
            picture = Image.open(io.BytesIO(tab.picture())).convert("RGB")
    # few colours: a third of the size
    picture.quantize(128, dither=Image.Dither.NONE).save(file, optimize=True)


def main():
    file = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else HERE.parents[1] / "docs/page.png")
    with client.Sandbox() as box:
        box.set_wan(WAN)
        system = esddns.System(configuration(box), wrap=HOST)
        try:
            system.start().wait_in_sync()
            system.stop()
            grow_old(system)
            system.start().wait_in_sync()
            make(system, file)
        finally:
            system.finish()
    print(f"{file}: {file.stat().st_size} bytes")


if __name__ == "__main__":
    main()
