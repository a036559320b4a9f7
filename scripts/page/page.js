"use strict";
// Lays out the games in `telephone.chains`. Whatever a game says goes into the page as text.
(() => {
  const games = (window.telephone || { chains: [] }).chains;
  const alone = Boolean(window.telephone && window.telephone.alone);
  const main = document.getElementById("games");
  const byName = new Map(games.map((game) => [game.name, game]));
  const byImage = new Map();
  for (const game of games) {
    if (!byImage.has(game.image)) byImage.set(game.image, []);
    byImage.get(game.image).push(game);
  }
  let against = "previous"; // what marks compare a caption with: "previous" or "first"

  // --- small helpers

  function element(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (value === null || value === undefined || value === false) continue;
      if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
      else made.setAttribute(name, value === true ? "" : value);
    }
    made.append(...children.filter((child) => child !== null && child !== undefined));
    return made;
  }

  const path = (...parts) => parts.map((part) => part.split("/").map(encodeURIComponent).join("/")).join("/");
  const file = (game, name) => (alone ? path(name) : path(game.name, name));
  const last = (game) => game.captions.length;
  const label = (round) => (round ? `round ${round}` : "base");
  const picture = (game, round) => (round ? file(game, `round${round}.png`) : game.base ? (alone ? game.base : path(game.base)) : null);
  const said = (game, round) => (round ? game.captions[round - 1] : game.text || "");
  const kind = (game) => `seed ${game.seed}, bundle ${game.bundle}`;

  // --- captions, with what was kept and lost

  const WORD = /[\p{L}\p{N}\p{M}_]+/gu;
  const words = (text) => new Set((text.toLowerCase().match(WORD) || []));

  // The caption that a round's is compared with; null for the first one.
  function earlier(game, round) {
    if (round < 2) return null;
    return game.captions[against === "first" ? 0 : round - 2];
  }

  function caption(game, round, style = "caption") {
    const text = said(game, round);
    const before = earlier(game, round);
    const known = before === null ? null : words(before);
    const unknown = new Set(((game.unknown || {})[round] || []).map((word) => word.toLowerCase()));
    const line = element("p", { class: style, dir: "auto" });
    let end = 0;
    let marked = null; // the mark that the word before is in, if it is new
    for (const match of text.matchAll(WORD)) {
      const word = match[0];
      const lower = word.toLowerCase();
      const between = text.slice(end, match.index);
      end = match.index + word.length;
      const shown = unknown.has(lower)
        ? element("span", { class: "unknown", title: "The painter does not know this word." }, word)
        : word;
      if (!known || known.has(lower)) {
        line.append(between, shown);
        marked = null;
      } else if (marked && !between.trim()) {
        marked.append(between, shown);
      } else {
        marked = element("ins", {}, element("span", { class: "hidden" }, "new: "), shown);
        line.append(between, marked);
      }
    }
    line.append(text.slice(end));
    return line;
  }

  // Words of the caption before that are gone, and words that the painter does not know.
  function losses(game, round) {
    const parts = [];
    if (!round && game.unfamiliar) parts.push(element("p", { class: "note" }, game.unfamiliar));
    const before = earlier(game, round);
    if (before !== null) {
      const now = words(said(game, round));
      const gone = [...words(before)].filter((word) => !now.has(word));
      if (gone.length) {
        const line = element("p", { class: "lost", dir: "auto" }, "lost: ");
        gone.forEach((word, n) => line.append(n ? ", " : "", element("del", {}, word)));
        parts.push(line);
      }
    }
    const unknown = (game.unknown || {})[round];
    if (unknown) {
      parts.push(element("p", { class: "note", dir: "auto" }, `not known to the painter: ${unknown.join(", ")}`));
    }
    return parts;
  }

  // --- the curve of what is kept

  function sparkline(game) {
    const kept = game.kept;
    if (kept.length < 2) return null;
    const x = (n) => (100 * n) / (kept.length - 1);
    const y = (share) => 26 - 22 * Math.max(0, Math.min(1, share));
    const space = "http://www.w3.org/2000/svg";
    const drawing = document.createElementNS(space, "svg");
    const percent = (share) => `${Math.floor(100 * share)} %`;
    const told = `${game.kept_of}: ${percent(kept[0])} in round 1, ${percent(kept[kept.length - 1])} in round ${kept.length}`;
    for (const [name, value] of Object.entries({ class: "spark", viewBox: "0 0 100 30", preserveAspectRatio: "none", role: "img", "aria-label": told })) {
      drawing.setAttribute(name, value);
    }
    const title = document.createElementNS(space, "title");
    title.textContent = told;
    const floor = document.createElementNS(space, "line");
    for (const [name, value] of Object.entries({ x1: 0, x2: 100, y1: 27, y2: 27 })) floor.setAttribute(name, value);
    const curve = document.createElementNS(space, "path");
    curve.setAttribute("d", kept.map((share, n) => `${n ? "L" : "M"}${x(n).toFixed(1)} ${y(share).toFixed(1)}`).join(""));
    drawing.append(title, floor, curve);
    return drawing;
  }

  // --- rows of tiles

  function thumbnail(game, round) {
    if (!round && !game.base) return element("span", { class: "thumb text", dir: "auto" }, game.text || "the base file is gone");
    const place = game.shown.indexOf(round);
    const box = element("span", { class: "thumb" });
    box.style.backgroundImage = `url("${path("index_files", `${game.name}.webp`)}")`;
    box.style.backgroundSize = `${100 * game.shown.length}% 100%`;
    box.style.backgroundPosition = `${game.shown.length > 1 ? (100 * place) / (game.shown.length - 1) : 0}% 0`;
    return box;
  }

  function tile(game, round) {
    const name = round ? `${game.name}, round ${round}: ${said(game, round)}` : `${game.name}, base${game.text ? `: ${game.text}` : " picture"}`;
    const button = element("button", { class: "tile", type: "button", "aria-label": name, onclick: () => open(game, round) }, thumbnail(game, round));
    const item = element("li", {}, button, element("p", { class: "round", "aria-hidden": "true" }, label(round)));
    if (round) item.append(caption(game, round));
    item.append(...losses(game, round));
    return item;
  }

  function head(game) {
    const about = element("p", { class: "about" }, kind(game));
    const curve = sparkline(game);
    if (curve) about.append(element("span", {}, "kept: ", curve));
    about.append(element("span", {}, `${last(game)} ${last(game) === 1 ? "round" : "rounds"}`));
    return about;
  }

  function fill(row) {
    const game = byName.get(row.dataset.game);
    const few = last(game) >= game.shown.length;
    const tiles = element("ol", { class: "tiles", "aria-label": `Rounds of ${game.name}`, tabindex: "0" }, ...game.shown.map((round) => tile(game, round)));
    row.replaceChildren(...[...row.children].slice(0, 2), tiles);
    if (few) {
      row.append(element("p", { class: "about" }, `${game.shown.length - 1} of ${last(game)} rounds are shown here. `,
        element("button", { type: "button", onclick: () => open(game, 1) }, "See them all with a slider")));
    }
    row.dataset.filled = "yes";
    row.style.minHeight = "";
  }

  function empty(row) {
    if (row.contains(document.activeElement)) return;
    row.style.minHeight = `${row.offsetHeight}px`;
    row.replaceChildren(...[...row.children].slice(0, 2));
    delete row.dataset.filled;
  }

  // Rows are laid out when they come near the window, and emptied when they are far from it: a
  // thousand games open at once, and scroll.
  const near = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (entry.isIntersecting && !entry.target.dataset.filled) fill(entry.target);
      else if (!entry.isIntersecting && entry.target.dataset.filled) empty(entry.target);
    }
  }, { rootMargin: "600px" });

  function layOut() {
    const parts = document.createDocumentFragment();
    for (const [image, group] of byImage) {
      const section = element("section", { "data-image": image }, element("h2", {}, element("bdi", {}, image)));
      for (const game of group) {
        const row = element("article", { class: "row", "data-game": game.name, "aria-label": `${game.name}: ${kind(game)}` });
        row.append(group.length > 1 ? element("h3", {}, element("bdi", {}, game.name)) : element("span"), head(game));
        section.append(row);
      }
      parts.append(section);
    }
    main.append(parts);
    for (const row of main.querySelectorAll(".row")) near.observe(row);
  }

  // --- search, and what marks compare with

  function found(game, asked) {
    return !asked || game.name.toLowerCase().includes(asked) || game.captions.some((text) => text.toLowerCase().includes(asked)) || (game.text || "").toLowerCase().includes(asked);
  }

  function search(asked) {
    let left = 0;
    for (const section of main.querySelectorAll("section")) {
      let any = false;
      for (const row of section.querySelectorAll(".row")) {
        row.hidden = !found(byName.get(row.dataset.game), asked);
        if (!row.hidden) { any = true; left += 1; }
      }
      section.hidden = !any;
    }
    document.getElementById("count").textContent = asked ? `${left} of ${games.length} games` : counted();
  }

  function counted() {
    const rounds = games.reduce((sum, game) => sum + last(game), 0);
    return `${games.length} ${games.length === 1 ? "game" : "games"}, ${rounds.toLocaleString("en")} rounds`;
  }

  function tools() {
    const place = document.getElementById("tools");
    const field = element("input", { type: "search", placeholder: "a name, or a word of a caption" });
    let wait = 0;
    field.addEventListener("input", () => {
      clearTimeout(wait);
      wait = setTimeout(() => search(field.value.trim().toLowerCase()), 120);
    });
    place.append(element("label", {}, "Find", field), marks());
    place.hidden = false;
    document.getElementById("count").textContent = counted();
  }

  function marks() {
    const choice = element("select", {},
      element("option", { value: "previous" }, "the round before"),
      element("option", { value: "first" }, "round 1"));
    choice.addEventListener("change", () => {
      against = choice.value;
      for (const row of main.querySelectorAll(".row[data-filled]")) fill(row);
      if (alone) begin();
    });
    return element("label", {}, "Words are marked as new or lost against", choice);
  }

  // --- one game, round by round

  const viewer = document.getElementById("viewer");
  let playing = 0;

  function stop() {
    clearInterval(playing);
    playing = 0;
  }

  // A stage on which one round is shown, and a slider through all of them.
  function stage(game, begin, place, shown = () => {}) {
    const figure = element("figure");
    const told = element("div");
    const others = element("div");
    const more = element("div");
    const number = element("span", { "aria-hidden": "true" });
    const slider = element("input", { type: "range", min: 0, max: last(game), value: begin, "aria-label": "Round" });
    const back = element("button", { type: "button", "aria-label": "Round before" }, "◀");
    const on = element("button", { type: "button", "aria-label": "Next round" }, "▶");
    const play = element("button", { type: "button", "aria-pressed": "false" }, "Play");
    let round = begin;

    function show(next) {
      round = Math.max(0, Math.min(last(game), next));
      slider.value = round;
      slider.setAttribute("aria-valuetext", `${label(round)}${said(game, round) ? `: ${said(game, round)}` : ""}`);
      number.textContent = `${label(round)} of ${last(game)}`;
      back.disabled = round === 0;
      on.disabled = round === last(game);
      const source = picture(game, round);
      const alt = round ? `Painted in round ${round}: ${said(game, round)}` : "The base picture";
      figure.replaceChildren(source ? element("img", { class: "large", src: source, alt }) : element("div", { class: "large text", dir: "auto" }, game.text || "the base file is gone"));
      told.replaceChildren(
        element("p", { class: "round" }, round === 0 ? "What the game began with" : round === 1 && game.text ? "The base text, from which the picture was painted" : `The caption of ${round === 1 ? "the base" : `round ${round - 1}`}, painted in round ${round}`),
        caption(game, round, "caption said"), ...losses(game, round));
      others.replaceChildren(...sideBySide(game, round));
      more.replaceChildren(...onDemand(game, round));
      shown(round);
    }

    slider.addEventListener("input", () => { stop(); show(Number(slider.value)); });
    back.addEventListener("click", () => { stop(); show(round - 1); });
    on.addEventListener("click", () => { stop(); show(round + 1); });
    play.addEventListener("click", () => {
      if (playing) { stop(); play.setAttribute("aria-pressed", "false"); return; }
      if (round === last(game)) show(0);
      play.setAttribute("aria-pressed", "true");
      playing = setInterval(() => {
        show(round + 1);
        if (round === last(game)) { stop(); play.setAttribute("aria-pressed", "false"); }
      }, 900);
    });
    place.onkeydown = (event) => {
      if (event.target === slider || event.target.tagName === "SELECT" || event.altKey || event.ctrlKey || event.metaKey) return;
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (step) { event.preventDefault(); stop(); show(round + step); }
      if (event.key === "Home") { event.preventDefault(); stop(); show(0); }
      if (event.key === "End") { event.preventDefault(); stop(); show(last(game)); }
    };
    show(begin);
    return element("div", { class: "stage" },
      element("div", {}, figure, element("div", { class: "steps" }, back, slider, on, play, number)),
      element("div", {}, told, others, more));
  }

  // The same round of the same base, with other seeds and bundles.
  function sideBySide(game, round) {
    const group = (byImage.get(game.image) || []).filter((other) => other !== game);
    if (!group.length || !round) return [];
    const list = element("ul", { class: "others" });
    for (const other of group) {
      const there = Math.min(round, last(other));
      list.append(element("li", {},
        element("img", { src: picture(other, there), alt: `${other.name}, round ${there}`, loading: "lazy" }),
        element("p", { class: "round" }, element("bdi", {}, other.name), `, ${label(there)}: ${kind(other)}`),
        caption(other, there)));
    }
    return [element("details", { open: true, "data-part": "others" }, element("summary", {}, `Side by side: round ${round} with other seeds and bundles`), list)];
  }

  const opened = new Set();

  // A part that is shown when it is opened, and stays open from round to round.
  function part(key, title, ...content) {
    const box = element("details", { "data-part": key, open: opened.has(key) }, element("summary", {}, title), ...content);
    box.addEventListener("toggle", () => (box.open ? opened.add(key) : opened.delete(key)));
    return box;
  }

  function figureOf(game, name, alt) {
    return element("img", { src: file(game, name), alt, loading: "lazy" });
  }

  function make(game, name) {
    const target = `results/${game.name}/${name}`;
    const quoted = /^[\w@+./-]+$/.test(target) ? target : `'${target.replaceAll("'", "'\\''")}'`;
    return element("p", { class: "lost" }, "Not made yet: ", element("code", {}, `snakemake --cores 1 ${quoted}`));
  }

  function onDemand(game, round) {
    const parts = [];
    if (round) {
      const kinds = [["candidates", "Candidates: other pictures of this caption"], ["attention", "Attention: what each word looked at"]];
      for (const [name, title] of kinds) {
        const target = `${name}/round${round}.png`;
        const there = (game[name] || []).includes(round);
        const none = name === "attention" && !game.attends;
        const missing = () => (none ? element("p", {}, "The painter of this game has no attention maps.") : make(game, target));
        parts.push(part(name, title, there ? figureOf(game, target, title) : missing()));
      }
    }
    const whole = [["drift.svg", "Drift: what is kept, round by round"], ["film.gif", "Film"], ["related.png", "Related pictures"], ["strip.png", "Strip"]];
    for (const [name, title] of whole) {
      if (game.figures.includes(name)) parts.push(part(name, title, figureOf(game, name, title)));
      else if (name !== "related.png") parts.push(part(name, title, make(game, name)));
    }
    const settings = element("dl");
    const told = { name: game.name, seed: game.seed, bundle: game.bundle, rounds: last(game), ...game.made };
    for (const [name, value] of Object.entries(told)) settings.append(element("dt", {}, name), element("dd", {}, element("bdi", {}, String(value))));
    const box = part("settings", "How it was made", settings);
    if (round) box.append(element("a", { href: file(game, `round${round}.json`) }, `The record of round ${round}`));
    parts.push(box);
    return parts;
  }

  function open(game, round, from = true) {
    stop();
    if (alone || !viewer) return begin(round);
    const close = element("button", { type: "button", onclick: () => viewer.close() }, "Close");
    const title = element("h2", {}, element("bdi", {}, game.name));
    const address = (now) => { if (from) history.replaceState(null, "", `#${encodeURIComponent(game.name)}/${now}`); };
    viewer.replaceChildren(element("div", { class: "bar" }, title, close), element("p", { class: "about" }, kind(game)), stage(game, round, viewer, address));
    viewer.setAttribute("aria-label", `${game.name}, round by round`);
    if (!viewer.open) viewer.showModal();
    viewer.querySelector("input[type=range]").focus();
  }

  // --- the page of one game

  const PIECE = 60;

  function begin(round = last(games[0])) {
    const game = games[0];
    const every = element("ol", { class: "every", "aria-label": "Every round" });
    const end = element("p");
    let next = 0;

    function add() {
      for (let n = 0; n < PIECE && next <= last(game); n += 1, next += 1) {
        const at = next;
        const source = picture(game, at);
        const shown = source ? element("img", { class: "thumb", src: source, alt: "", loading: "lazy" }) : element("span", { class: "thumb text", dir: "auto" }, game.text || "the base file is gone");
        const button = element("button", { class: "tile", type: "button", "aria-label": `Show ${label(at)}`, onclick: () => { begin(at); scrollTo(0, 0); } }, shown);
        const item = element("li", {}, button, element("p", { class: "round" }, label(at)));
        if (at) item.append(caption(game, at));
        item.append(...losses(game, at));
        every.append(item);
      }
      if (next > last(game)) { more.disconnect(); end.remove(); }
    }
    const more = new IntersectionObserver((entries) => { if (entries.some((entry) => entry.isIntersecting)) add(); }, { rootMargin: "600px" });
    const chosen = marks();
    chosen.querySelector("select").value = against;
    main.replaceChildren(head(game), stage(game, round, main), element("h2", {}, "Every round"), element("div", { class: "tools" }, chosen), every, end);
    add();
    more.observe(end);
  }

  // --- begin

  if (!games.length) return;
  if (alone) return begin();
  tools();
  layOut();
  viewer.addEventListener("close", () => {
    stop();
    viewer.replaceChildren();
    history.replaceState(null, "", location.pathname + location.search);
  });
  function follow() {
    const [name, round] = location.hash.slice(1).split("/");
    let asked = name;
    try { asked = decodeURIComponent(name); } catch { return; }
    if (byName.has(asked)) open(byName.get(asked), Math.min(Number.parseInt(round, 10) || 0, last(byName.get(asked))));
  }
  addEventListener("hashchange", follow);
  follow();
})();
