// The page around a drawing: details on hover, pinning, search, zoom and pan. The drawing is
// complete without it. Elements carry what they stand for: data-n a node, data-e edges.
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const svg = document.querySelector("main svg");
  const view = svg.querySelector(".view");
  const tip = document.getElementById("tip");
  const card = document.getElementById("card");
  const size = svg.viewBox.baseVal;

  // ---- What is where --------------------------------------------------------------------------
  const cells = [];
  const lines = data.edges.map(() => ({own: null, bundle: null}));
  for (const cell of svg.querySelectorAll("[data-n]")) cells[+cell.dataset.n] = cell;
  for (const line of svg.querySelectorAll("[data-e]")) {
    line.edges = line.dataset.e.split(",").map(Number);
    const role = line.classList.contains("bundle") ? "bundle" : "own";
    for (const edge of line.edges) lines[edge][role] = line;
  }
  const near = data.nodes.map(() => []);
  data.edges.forEach(([a, b], edge) => {
    near[a].push([b, edge]);
    near[b].push([a, edge]);
  });

  // ---- Words ----------------------------------------------------------------------------------
  const speed = (bytes) => {
    if (!bytes) return "speed not known";
    const [value, unit] = bytes >= 1e9 ? [bytes / 1e9, "GB/s"] : [bytes / 1e6, "MB/s"];
    return `${+value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)} ${unit}`;
  };
  const element = (tag, className, text) => {
    const made = document.createElement(tag);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  };
  const link = ([way, kind, bandwidth, capable, latency, count, health, from], a, b) => {
    let text = `${data.linkKinds[kind]} ${count > 1 ? count + " \u00d7 " : ""}${speed(bandwidth)}`;
    if (count > 1 && bandwidth) text += ` = ${speed(bandwidth * count)}`;
    if (capable > bandwidth && bandwidth) text += `, ${speed(capable)} possible`;
    if (latency) text += `, ${latency} ns`;
    if (health) text += `, ${data.healths[health]}`;
    if (way < 2) text += way === 0 ? ` to ${b}` : ` to ${a}`;
    return [text, data.provenances[from]];
  };
  const name = (node) => data.nodes[node].n;
  const isBad = (edge) => lines[edge].own.classList.contains("bad");

  const rows = (pairs) => {
    const list = element("dl");
    for (const [key, value] of pairs) {
      if (value === undefined || value === "" || value === null) continue;
      list.append(element("dt", "", key), element("dd", "", value));
    }
    return list;
  };
  // Alike links once, with how many there are.
  const linkRows = (edges) => {
    const counts = new Map();
    for (const edge of edges) {
      const [a, b, links] = data.edges[edge];
      for (const one of links) {
        const [text, from] = link(one, "one end", "the other");
        const key = text + "\n" + from;
        counts.set(key, (counts.get(key) || 0) + 1);
      }
    }
    return [...counts].map(([key, count]) => {
      const [text, from] = key.split("\n");
      return ["bandwidth", `${count > 1 ? count + " of: " : ""}${text} (${from})`];
    });
  };
  const describeNode = (node) => {
    const of = data.nodes[node];
    const parts = [element("div", "name", of.n)];
    parts.push(rows([
      ["kind", data.kinds[of.k]], ["machine", of.h], ["rack", of.r], ["domain", of.d],
      ["rail", of.rail], ["rank", of.rank], ["health", of.s ? data.healths[of.s] : undefined],
      ...(of.a || []), ...linkRows(near[node].map(([, edge]) => edge)),
      ["known from", data.provenances[of.p]]]));
    for (const note of data.notes[node] || []) parts.push(element("p", "wrong", note));
    return parts;
  };
  const describeEdges = (edges) => {
    const [a, b, links] = data.edges[edges[0]];
    if (edges.length === 1) {
      return [element("div", "name", `${name(a)} \u2013 ${name(b)}`),
        rows(links.map((one) => {
          const [text, from] = link(one, name(a), name(b));
          return ["link", `${text} (${from})`];
        }))];
    }
    const bad = edges.filter(isBad).length;
    const hub = edges.every((edge) => data.edges[edge].slice(0, 2).includes(b)) ? b : a;
    const parts = [element("div", "name", `${edges.length} links to ${name(hub)}`),
      rows(linkRows(edges))];
    if (bad) parts.push(element("p", "wrong", `${bad} of them down or degraded`));
    return parts;
  };

  // ---- Showing --------------------------------------------------------------------------------
  let shown = [];
  let pinned = null;
  const mark = (target, ...names) => {
    target.classList.add(...names);
    shown.push([target, names]);
  };
  const clear = () => {
    for (const [target, names] of shown) target.classList.remove(...names);
    shown = [];
    svg.classList.remove("focus");
  };
  const showNode = (node) => {
    svg.classList.add("focus");
    mark(cells[node], "on", "at");
    for (const [other, edge] of near[node]) {
      mark(cells[other], "on");
      mark(lines[edge].own, "on");
    }
  };
  const showEdges = (edges) => {
    svg.classList.add("focus");
    for (const edge of edges) {
      const [a, b] = data.edges[edge];
      mark(lines[edge].own, "on");
      mark(cells[a], "on");
      mark(cells[b], "on");
    }
  };
  const showNodes = (nodes) => {
    svg.classList.add("focus");
    for (const node of nodes) mark(cells[node], "on", "hit");
  };
  // What is pinned, else what is searched, comes back when the pointer leaves.
  let hits = null;
  const rest = () => {
    clear();
    if (pinned !== null) showNode(pinned);
    else if (hits) showNodes(hits);
  };

  const pin = (node) => {
    pinned = node;
    card.replaceChildren();
    card.hidden = node === null;
    if (node !== null) {
      const close = element("button", "close", "\u00d7");
      close.setAttribute("aria-label", "Close");
      close.onclick = () => pin(null);
      const list = element("ul", "near-by");
      const others = near[node].slice().sort((x, y) =>
        name(x[0]).localeCompare(name(y[0]), undefined, {numeric: true}));
      for (const [other] of others.slice(0, 200)) {
        const button = element("button", "", name(other));
        button.onclick = () => pin(other);
        const item = element("li");
        item.append(button);
        list.append(item);
      }
      if (others.length > 200) list.append(element("li", "", `and ${others.length - 200} more`));
      card.append(close, ...describeNode(node), list);
    }
    rest();
  };

  // ---- Pointing -------------------------------------------------------------------------------
  // Thin lines are caught from three pixels away.
  const under = (x, y) => {
    let line = null;
    for (const [dx, dy] of [[0, 0], [3, 0], [-3, 0], [0, 3], [0, -3]]) {
      const hit = document.elementFromPoint(x + dx, y + dy);
      const cell = hit && hit.closest("[data-n]");
      if (cell && dx === 0 && dy === 0) return cell;
      line = line || (hit && hit.closest("[data-e]"));
    }
    return line;
  };
  let pointed = null;
  const point = (target, x, y) => {
    if (target !== pointed) {
      pointed = target;
      rest();
      tip.hidden = !target;
      if (target) {
        if (pinned === null) clear();
        const isNode = target.dataset.n !== undefined;
        tip.replaceChildren(...(isNode ? describeNode(+target.dataset.n)
                                       : describeEdges(target.edges)));
        if (pinned === null) {
          if (isNode) showNode(+target.dataset.n);
          else showEdges(target.edges);
        }
      }
    }
    if (!target) return;
    const box = svg.getBoundingClientRect();
    const left = x - box.left + 16, top = y - box.top + 16;
    tip.style.left = Math.max(4, Math.min(left, box.width - tip.offsetWidth - 8)) + "px";
    tip.style.top = (top + tip.offsetHeight + 8 < box.height
      ? top : Math.max(4, top - tip.offsetHeight - 32)) + "px";
  };

  // ---- Zoom and pan ---------------------------------------------------------------------------
  let scale = 1, left = 0, top = 0;
  const apply = () => {
    view.setAttribute("transform", `translate(${left} ${top}) scale(${scale})`);
    const pixels = svg.getScreenCTM().a * scale;
    svg.classList.toggle("near", pixels > 2.2);
    svg.classList.toggle("far", pixels < 0.45);
  };
  const inPicture = (x, y) => new DOMPoint(x, y).matrixTransform(svg.getScreenCTM().inverse());
  const middle = () => {
    const box = svg.getBoundingClientRect();
    return inPicture(box.left + box.width / 2, box.top + box.height / 2);
  };
  const zoom = (factor, at = middle()) => {
    const next = Math.min(Math.max(scale * factor, 0.5), 40);
    left = at.x - (at.x - left) * next / scale;
    top = at.y - (at.y - top) * next / scale;
    scale = next;
    apply();
  };
  const fit = () => {
    [scale, left, top] = [1, 0, 0];
    apply();
  };
  const centre = (node) => {
    const box = cells[node].getBBox();
    const at = middle();
    scale = Math.max(scale, 3);
    left = at.x - (box.x + box.width / 2) * scale;
    top = at.y - (box.y + box.height / 2) * scale;
    apply();
  };

  svg.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015)),
      inPicture(event.clientX, event.clientY));
  }, {passive: false});
  let drag = null;
  svg.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    drag = {x: event.clientX, y: event.clientY, left, top, moved: false};
  });
  svg.addEventListener("pointermove", (event) => {
    if (!drag) return point(under(event.clientX, event.clientY), event.clientX, event.clientY);
    const dx = event.clientX - drag.x, dy = event.clientY - drag.y;
    if (!drag.moved && Math.hypot(dx, dy) < 4) return;
    if (!drag.moved) {
      svg.setPointerCapture(event.pointerId);
      svg.classList.add("dragging");
      point(null);
    }
    drag.moved = true;
    const pixels = svg.getScreenCTM().a;
    left = drag.left + dx / pixels;
    top = drag.top + dy / pixels;
    apply();
  });
  const drop = (event) => {
    const was = drag;
    drag = null;
    svg.classList.remove("dragging");
    if (!was || was.moved || event.type !== "pointerup") return;
    const target = under(event.clientX, event.clientY);
    if (!target) return pin(null);
    if (target.dataset.n !== undefined) {
      const node = +target.dataset.n;
      pin(pinned === node ? null : node);
    }
  };
  svg.addEventListener("pointerup", drop);
  svg.addEventListener("pointercancel", drop);
  svg.addEventListener("pointerleave", () => { if (!drag) point(null); });
  document.getElementById("in").onclick = () => zoom(1.4);
  document.getElementById("out").onclick = () => zoom(1 / 1.4);
  document.getElementById("fit").onclick = fit;
  new ResizeObserver(apply).observe(svg);

  // ---- Search ---------------------------------------------------------------------------------
  const search = document.getElementById("search");
  const found = document.getElementById("found");
  const words = data.nodes.map((of) => [of.n, data.kinds[of.k], of.h, of.r && "rack " + of.r, of.d,
    of.rail !== undefined ? "rail " + of.rail : "", data.healths[of.s || 0],
    ...(of.a || []).map(([, value]) => value)].join("\n").toLowerCase());
  let next = 0;
  search.addEventListener("input", () => {
    const wanted = search.value.trim().toLowerCase();
    hits = wanted ? [...words.keys()].filter((node) => words[node].includes(wanted)) : null;
    found.textContent = hits ? `${hits.length} found` : "";
    next = 0;
    rest();
  });
  search.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && hits && hits.length) centre(hits[next++ % hits.length]);
  });

  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") {
      search.value = "";
      hits = null;
      found.textContent = "";
      search.blur();
      return pin(null);
    }
    if (/^(INPUT|SELECT)$/.test(event.target.tagName)) return;
    const step = 60;
    const keys = {
      "+": () => zoom(1.4), "=": () => zoom(1.4), "-": () => zoom(1 / 1.4), "0": fit,
      "/": () => search.focus(),
      ArrowLeft: () => { left += step; apply(); }, ArrowRight: () => { left -= step; apply(); },
      ArrowUp: () => { top += step; apply(); }, ArrowDown: () => { top -= step; apply(); },
    };
    if (!keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  });

  // ---- Legend and bounds ----------------------------------------------------------------------
  for (const item of document.querySelectorAll("footer [data-nodes], footer [data-class]")) {
    const show = () => {
      clear();
      if (item.dataset.nodes) {
        showNodes([...words.keys()].filter((node) => cells[node].matches(item.dataset.nodes)));
      } else {
        const all = data.edges.keys();
        showEdges([...all].filter((edge) => lines[edge].own.matches(item.dataset.class)));
      }
    };
    item.addEventListener("pointerenter", show);
    item.addEventListener("focus", show);
    item.addEventListener("pointerleave", rest);
    item.addEventListener("blur", rest);
  }
  const which = document.getElementById("which");
  if (data.highlights.length) {
    document.getElementById("bounds").hidden = false;
    which.hidden = data.highlights.length === 1;
    which.append(...data.highlights.map(({name: text}, index) => new Option(text, index)));
    const glow = svg.querySelector(".glows");
    const choose = () => {
      const {sentence, nodes, edges} = data.highlights[+which.value];
      document.querySelector("#bounds .pen").textContent = sentence;
      for (const cell of svg.querySelectorAll(".c.in")) cell.classList.remove("in");
      for (const line of svg.querySelectorAll(".l.cut")) line.classList.remove("cut");
      glow.replaceChildren();
      for (const node of nodes) cells[node].classList.add("in");
      // A bus only where all of it is meant.
      const cut = new Set(edges);
      const lineOf = (edge) => {
        const {own, bundle} = lines[edge];
        return bundle && bundle.edges.every((each) => cut.has(each)) ? bundle : own;
      };
      for (const line of new Set(edges.map(lineOf))) {
        line.classList.add("cut");
        const path = line.cloneNode();
        path.removeAttribute("data-e");
        path.setAttribute("class", "glow");
        path.setAttribute("stroke-width", +line.getAttribute("stroke-width") + 5);
        glow.append(path);
      }
    };
    which.onchange = choose;
    choose();
  }
  apply();
})();
