/*
 * What a page must be for those who read it, found out in the page itself: each function
 * returns a list of sentences, empty if all is well. Loaded by audit.py, never served.
 */
(() => {
  "use strict";

  /* "rgb(1, 2, 3)", "rgba(1, 2, 3, .5)" */
  function colour(text) {
    const n = text.match(/[\d.]+/g).map(Number);
    return { r: n[0], g: n[1], b: n[2], a: n.length > 3 ? n[3] : 1 };
  }

  function over(top, below) {
    const mix = (t, b) => t * top.a + b * (1 - top.a);
    return { r: mix(top.r, below.r), g: mix(top.g, below.g), b: mix(top.b, below.b), a: 1 };
  }

  /* WCAG 2: relative luminance, contrast ratio */
  function luminance(c) {
    const [r, g, b] = [c.r, c.g, c.b].map((v) => {
      v /= 255;
      return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  }

  function contrast(a, b) {
    const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x);
    return (light + 0.05) / (dark + 0.05);
  }

  function ancestors(element) {
    const list = [];
    for (let e = element; e; e = e.parentElement) list.push(e);
    return list;
  }

  function background(element) {
    return ancestors(element).reverse().reduce((below, e) =>
      over(colour(getComputedStyle(e).backgroundColor), below), { r: 255, g: 255, b: 255, a: 1 });
  }

  function isShown(element) {
    return element.checkVisibility({ visibilityProperty: true }) &&
      !ancestors(element).some((e) => getComputedStyle(e).clipPath === "inset(50%)");
  }

  function isText(node) {
    return node.nodeValue.trim() !== "" && isShown(node.parentElement);
  }

  function texts() {
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), list = [];
    while (walker.nextNode()) if (isText(walker.currentNode)) list.push(walker.currentNode);
    return list;
  }

  function rects(node) {
    const range = document.createRange();
    range.selectNodeContents(node);
    return [...range.getClientRects()].filter((r) => r.width > 0 && r.height > 0);
  }

  const name = (node) => "“" + node.nodeValue.trim().slice(0, 40) + "”";

  function judgeContrast(style, behind, what, found) {
    const size = parseFloat(style.fontSize), bold = Number(style.fontWeight) >= 700;
    const least = size >= 24 || (bold && size >= 18.66) ? 3 : 4.5;
    const ratio = contrast(over(colour(style.color), behind), behind);
    if (ratio < least)
      found.push(`${what}: ${style.color} has a contrast of ${ratio.toFixed(2)}, not ${least}`);
  }

  /* 1.4.3 for each text, generated ones too */
  function contrasts() {
    const found = [];
    for (const node of texts()) {
      const parent = node.parentElement, behind = background(parent);
      if (ancestors(parent).some((e) => getComputedStyle(e).opacity !== "1"))
        found.push(`${name(node)} is see-through`);
      judgeContrast(getComputedStyle(parent), behind, name(node), found);
    }
    for (const e of document.querySelectorAll("main *")) {
      const before = getComputedStyle(e, "::before");
      if (/^"./.test(before.content) && isShown(e))
        judgeContrast(before, background(e), before.content, found);
    }
    return found;
  }

  /* Nothing is wider than the screen, cut off, beyond its frame, or over something else. */
  function places() {
    const found = [], all = [];
    if (document.documentElement.scrollWidth > innerWidth)
      found.push(`the page is ${document.documentElement.scrollWidth} wide, not ${innerWidth}`);
    for (const node of texts()) {
      const frame = node.parentElement.closest(".card, .verdict, header, footer");
      const box = frame ? frame.getBoundingClientRect() : { left: 0, right: innerWidth };
      for (const r of rects(node)) {
        if (r.left < box.left - 1 || r.right > box.right + 1)
          found.push(`${name(node)} leaves its frame`);
        all.push({ node, r });
      }
      for (const e of ancestors(node.parentElement))
        if (getComputedStyle(e).overflowX !== "visible" && e !== document.documentElement &&
            (e.scrollWidth > e.clientWidth || e.scrollHeight > e.clientHeight))
          found.push(`${name(node)} is cut off`);
    }
    for (let i = 0; i < all.length; i++)
      for (let j = i + 1; j < all.length; j++) {
        const a = all[i].r, b = all[j].r;
        if (Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 &&
            Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 3)
          found.push(`${name(all[i].node)} is over ${name(all[j].node)}`);
      }
    return found;
  }

  /* 2.5.5: what is touched is large enough for a thumb */
  function targets() {
    return [...document.querySelectorAll("a, button, input, summary")].filter((e) => {
      const r = e.getBoundingClientRect();
      return isShown(e) && (r.height < 44 || r.width < 44);
    }).map((e) => `“${e.textContent}” is too small to be touched`);
  }

  function headings(found) {
    let before = 0;
    for (const h of document.querySelectorAll("h1, h2, h3, h4, h5, h6")) {
      const level = Number(h.tagName[1]);
      if (before > 0 && level > before + 1) found.push(`${h.textContent}: a level is left out`);
      before = level;
    }
    if (document.querySelectorAll("h1").length !== 1) found.push("not one h1");
  }

  function references(found) {
    const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
    if (new Set(ids).size !== ids.length) found.push(`an id is there twice: ${ids}`);
    for (const e of document.querySelectorAll("[aria-labelledby]"))
      if (!document.getElementById(e.getAttribute("aria-labelledby"))?.textContent.trim())
        found.push(`${e.getAttribute("aria-labelledby")} names nothing`);
    for (const e of document.querySelectorAll("section, nav"))
      if (!e.hasAttribute("aria-labelledby") && !e.hasAttribute("aria-label") &&
          !e.querySelector("h1"))
        found.push("a part has no name");
    for (const e of document.querySelectorAll("[role=img]"))
      if (!e.getAttribute("aria-label")) found.push("a picture has no name");
  }

  /* What those need to find who do not see the page. */
  function structure() {
    const found = [];
    if (document.documentElement.lang !== "en") found.push("no language");
    for (const e of ["header", "main"])
      if (document.querySelectorAll(e).length !== 1) found.push(`not one ${e}`);
    headings(found);
    references(found);
    for (const e of document.querySelectorAll("th"))
      if (!["col", "row"].includes(e.scope)) found.push(`${e.textContent}: no scope`);
    for (const e of document.querySelectorAll("table"))
      if (!e.tHead || [...e.tBodies].some((b) => !b.rows[0].querySelector("th[scope=row]")))
        found.push(`the table ${e.className} lacks a header`);
    for (const e of document.querySelectorAll("[aria-live], [role=alert], [role=status]"))
      if (!["link", "news"].includes(e.id)) found.push(`${e.textContent} is told too often`);
    for (const e of document.querySelectorAll("*"))
      for (const attribute of e.attributes)
        if (/^(on|style$)/.test(attribute.name)) found.push(`${attribute.name} on ${e.tagName}`);
    for (const e of document.querySelectorAll("a"))
      if (new URL(e.href).origin !== location.origin || !e.textContent.trim())
        found.push(`a link to ${e.href}`);
    return found;
  }

  /* 1.4.1: what a colour says, words say too, and no words stand under two colours */
  function words() {
    const found = [], level = {}, levels = ["good", "wait", "warn", "bad"];
    for (const chip of document.querySelectorAll(".chip")) {
      const text = chip.textContent.trim(), of = levels.find((l) => chip.classList.contains(l));
      if (text === "" || !of) found.push("a chip says nothing");
      if ((level[text] ??= of) !== of) found.push(`“${text}” is ${of} and ${level[text]}`);
    }
    for (const e of document.querySelectorAll(".verdict .level, .others strong"))
      if (!["all is well", "under way", "warning", "failure"].includes(e.textContent))
        found.push(`“${e.textContent}” is no level`);
    return found;
  }

  /* 2.4.7, 1.4.11: where the keyboard is can be seen */
  function focus() {
    const e = document.activeElement, style = getComputedStyle(e);
    const behind = background(e.parentElement);
    if (!e.matches(":focus-visible") || style.outlineStyle !== "solid" ||
        parseFloat(style.outlineWidth) < 2)
      return [`“${e.textContent}” does not show that it is in focus`];
    const ratio = contrast(colour(style.outlineColor), behind);
    return ratio < 3 ? [`the frame of “${e.textContent}” has a contrast of ${ratio}`] : [];
  }

  window.audit = { contrasts, places, targets, structure, words, focus };
})();
