"use strict";
/* Steps through a run. Everything shown comes from the data as text: textContent and attributes, never markup. */
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const HEIGHT = 22;

  function element(name, attributes = {}, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    for (const child of children) made.append(child);
    return made;
  }

  function shape(name, attributes = {}, text = "") {
    const made = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text) made.textContent = text;
    return made;
  }

  class Run {
    constructor(root) {
      this.root = root;
      this.data = JSON.parse(document.getElementById(root.dataset.data).textContent);
      this.count = this.data.steps.length;
      this.prefix = root.dataset.prefix;
      this.witness = new Set(this.data.witness);
      this.shown = 0;
      this.find = (selector) => root.querySelector(selector);
      this.slider = this.find("input[type=range]");
      this.chart = this.find(".chart");
      this.graphs = this.data.graphs.map((graph) => this.drawGraph(graph));
      this.listen();
      this.begin();
    }

    listen() {
      this.slider.addEventListener("input", () => this.go(Number(this.slider.value)));
      for (const button of this.root.querySelectorAll("[data-go]")) {
        button.addEventListener("click", () => this.move(button.dataset.go));
      }
      this.root.querySelector(".inside").addEventListener("click", (event) => {
        const piece = event.target.closest(".piece");
        if (!piece || event.detail === 0 || event.ctrlKey || event.metaKey || event.shiftKey) return;
        const row = Math.floor((event.clientY - piece.getBoundingClientRect().top) / HEIGHT);
        event.preventDefault();
        this.go(Math.min(Number(piece.dataset.first) + row, Number(piece.dataset.last)), false);
      });
    }

    move(where) {
      const moments = this.data.moments;
      switch (where) {
        case "first": return this.go(1);
        case "last": return this.go(this.count);
        case "back": return this.go(this.shown - 1);
        case "on": return this.go(this.shown + 1);
        case "up": return this.go(this.shown - 10);
        case "down": return this.go(this.shown + 10);
        case "previous": return this.go([...moments].reverse().find((step) => step < this.shown) ?? 1);
        case "next": return this.go(moments.find((step) => step > this.shown) ?? this.count);
      }
    }

    /* ------------------------------------------------------------------------------------------- the state after a step */

    begin() {
      this.at = 0;
      this.undo = []; /* for each step, what takes it back */
      this.state = this.data.spaces.map(() => new Map());
      this.nodes = this.data.graphs.map(() => new Map());
      this.edges = this.data.graphs.map(() => "");
      this.apply(this.data.before, []);
    }

    apply(changes, undo) {
      for (const [space, key, ...cells] of changes) {
        const rows = this.state[space], old = rows.get(key);
        undo.push(() => { if (old) rows.set(key, old); else rows.delete(key); });
        if (cells.length === 1 && cells[0] === null) { rows.delete(key); continue; }
        const row = new Map(old);
        rows.set(key, row);
        for (let n = 0; n < cells.length; n += 2) {
          if (cells[n + 1] === -1) row.delete(cells[n]); else row.set(cells[n], cells[n + 1]);
        }
      }
    }

    advance(step) {
      while (this.at > step) for (const back of this.undo[--this.at].reverse()) back();
      while (this.at < step) {
        const undo = (this.undo[this.at] = []), data = this.data.steps[this.at++];
        this.apply(data.set ?? [], undo);
        for (const [graph, edges, nodes] of data.graph ?? []) {
          const before = this.edges[graph], states = this.nodes[graph];
          if (edges !== null) { this.edges[graph] = edges; undo.push(() => { this.edges[graph] = before; }); }
          for (const [node, ...rest] of nodes) {
            const was = states.get(node);
            states.set(node, rest);
            undo.push(() => { if (was) states.set(node, was); else states.delete(node); });
          }
        }
      }
    }

    go(step, scroll = true, push = true) {
      if (!this.count) return;
      step = Math.max(1, Math.min(this.count, step || 1));
      this.advance(step - 1);
      const data = this.data.steps[step - 1];
      const before = new Map();
      for (const [space, key] of data.set ?? []) {
        before.set(space + " " + key, this.state[space].get(key) ?? null);
      }
      this.advance(step);
      this.shown = step;
      this.place(step, scroll);
      this.tell(step, data);
      this.showGraphs(data);
      this.showStates(before);
      if (push) { try { history.replaceState(null, "", "#" + this.prefix + step); } catch { /* not allowed where there is no origin */ } }
    }

    /* ------------------------------------------------------------------------------------------------------- showing it */

    place(step, scroll) {
      const head = this.find(".head").offsetHeight, top = (step - 1) * HEIGHT, from = this.chart.scrollTop;
      const seen = this.chart.clientHeight - head, cursor = this.find(".cursor"); /* everything is measured before anything is written */
      const moment = this.prefix === "step-" && document.querySelector('.moments li[data-step="' + step + '"]');
      const list = moment && moment.parentElement, place = moment && moment.offsetTop - list.offsetTop;
      const away = moment && (place < list.scrollTop || place + moment.offsetHeight > list.scrollTop + list.clientHeight);
      const middle = moment && place - list.clientHeight / 2;
      cursor.hidden = false;
      cursor.style.top = head + top + "px";
      for (const marked of this.marked ?? []) marked.removeAttribute("aria-current");
      this.marked = [document.getElementById(this.prefix + step), moment].filter(Boolean);
      for (const marked of this.marked) marked.setAttribute("aria-current", "step");
      this.slider.value = step;
      this.find("output").textContent = "step " + step + " of " + this.count;
      if (away) list.scrollTop = middle;
      if (scroll && (top < from || top + HEIGHT > from + seen)) this.chart.scrollTop = Math.max(0, top - seen / 2);
    }

    tell(step, data) {
      const lines = data.say.map(([kind, text]) => element("p", { class: kind }, this.data.texts[text]));
      if (step === this.data.violated) lines.push(element("p", { class: "violation" }, "Here the property is violated."));
      this.slider.setAttribute("aria-valuetext", "step " + step + ": " + lines.map((line) => line.textContent).join(". "));
      this.find(".now").replaceChildren(element("h3", {}, "After step " + step + " of " + this.count), ...lines);
    }

    showStates(before) {
      const texts = this.data.texts;
      const parts = this.data.spaces.map(([title, table, constant], space) => {
        const rows = this.state[space];
        const keys = [...rows.keys()];
        for (const [name, row] of before) {
          const [at, key] = name.split(" ").map(Number);
          if (at === space && row && !rows.has(key)) keys.push(key);
        }
        if (!keys.length && !table) return null;
        const lines = keys.sort((a, b) => (texts[a] < texts[b] ? -1 : 1)).map((key) => this.line(space, key, before));
        const count = rows.size === 0 ? "nothing" : rows.size;
        const details = element("details", { "data-space": space }, element("summary", {}, title + (table ? " (" + count + ")" : "")));
        details.open = !(this.closed ??= new Set()).has(space);
        details.addEventListener("toggle", () => { if (details.open) this.closed.delete(space); else this.closed.add(space); });
        if (constant && rows.size) details.append(element("p", { class: "small" }, "in every row, always: " + constant));
        if (lines.length) details.append(element("table", { class: "cells", "aria-label": title }, element("tbody", {}, ...lines)));
        return details;
      });
      this.find(".states").replaceChildren(...parts.filter(Boolean));
    }

    line(space, key, before) {
      const texts = this.data.texts, name = space + " " + key;
      const row = this.state[space].get(key), was = before.get(name);
      const line = element("tr", {}, element("th", { scope: "row" }, texts[key]));
      const cells = element("td");
      if (before.has(name)) line.classList.add("changed");
      if (!row) line.classList.add("gone");
      if (this.witness.has(texts[key])) line.classList.add("witness");
      for (const [column, value] of row ?? was) {
        const cell = element("span", { class: "cell" });
        if (texts[column]) cell.append(element("b", {}, texts[column] + " "));
        const old = was?.get(column);
        if (row && before.has(name) && old !== value) {
          if (was && old !== undefined) cell.append(element("del", {}, texts[old]), " ");
          cell.append(element("ins", {}, texts[value]));
        } else cell.append(texts[value]);
        cells.append(cell, " ");
      }
      for (const [column, value] of (row && was) || []) {
        if (!row.has(column)) cells.append(element("span", { class: "cell" }, element("b", {}, texts[column] + " "), element("del", {}, texts[value])), " ");
      }
      line.append(cells);
      return line;
    }

    /* --------------------------------------------------------------------------------------------------- template graphs */

    drawGraph(graph) {
      const picture = shape("svg", { width: graph.width, height: graph.height, viewBox: "0 0 " + graph.width + " " + graph.height,
                                     role: "img", "aria-label": "Template of stack " + graph.stack + ", with the state of each resource" });
      const edges = shape("path");
      picture.append(edges);
      const nodes = graph.nodes.map(([name, x, y, height]) => {
        const group = shape("g", { class: "unwanted" });
        group.append(shape("rect", { class: "node", x, y, width: graph.wide, height, rx: 4 }), this.text(name, x + 8, y + 15, 24, "name"));
        const lines = shape("g");
        group.append(lines);
        picture.append(group);
        return { group, lines, x, y, name };
      });
      this.find(".graphs").append(element("h3", {}, "Template of stack " + graph.stack), element("div", { class: "graph", tabindex: 0, role: "group", "aria-label": "Template graph" }, picture));
      return { edges, nodes, picture };
    }

    text(text, x, y, most, kind = "") {
      const made = shape("text", { x, y, class: kind }, text.length > most ? text.slice(0, most - 1) + "\u2026" : text);
      if (text.length > most) made.append(shape("title", {}, text));
      return made;
    }

    showGraphs(data) {
      this.graphs.forEach(({ edges, nodes, picture }, number) => {
        const changed = new Set();
        for (const [graph, , names] of data.graph ?? []) if (graph === number) for (const [node] of names) changed.add(node);
        edges.setAttribute("d", this.edges[number]);
        const spoken = [];
        nodes.forEach(({ group, lines, x, y, name }, node) => {
          const [wanted, ...states] = this.nodes[number].get(node) ?? [0];
          group.setAttribute("class", (wanted ? "wanted" : "unwanted") + (changed.has(node) ? " changed" : ""));
          lines.replaceChildren();
          const said = [];
          for (let n = 0; n < states.length; n += 2) {
            const kind = states[n], low = y + 20 + (n / 2) * 15, thing = ["healthy", "busy", "unhealthy"].includes(kind);
            lines.append(thing ? shape("circle", { class: "mark " + kind, cx: x + 13, cy: low + 6, r: 4.5 })
                               : shape("rect", { class: "mark " + kind, x: x + 9, y: low + 2, width: 8, height: 8 }));
            lines.append(this.text(this.data.texts[states[n + 1]], x + 23, low + 10, 27));
            said.push(this.data.texts[states[n + 1]]);
          }
          spoken.push(name + (wanted ? "" : " (not in the template)") + ": " + (said.join("; ") || "nothing"));
        });
        picture.setAttribute("aria-label", "Template of stack " + this.data.graphs[number].stack + ". " + spoken.join(". "));
      });
    }
  }

  /* ----------------------------------------------------------------------------------------------------------- the page */

  const runs = [...document.querySelectorAll(".run")].map((root) => new Run(root));
  if (!runs.length) return;
  let active;
  function activate(run) {
    active = run;
    for (const one of runs) one.root.classList.toggle("active", one === run);
  }
  activate(runs[0]);
  for (const run of runs) for (const event of ["focusin", "pointerdown"]) run.root.addEventListener(event, () => activate(run));

  function follow() {
    for (const run of runs) {
      const found = location.hash.startsWith("#" + run.prefix) && Number(location.hash.slice(run.prefix.length + 1));
      if (found) {
        if (run.root.hidden) compare();
        activate(run);
        run.go(found, true, false);
        return true;
      }
    }
    return false;
  }

  const button = document.querySelector(".compare");
  function compare() {
    const other = runs[1];
    other.root.hidden = !other.root.hidden;
    button.setAttribute("aria-expanded", String(!other.root.hidden));
    button.textContent = other.root.hidden ? button.dataset.show : button.dataset.hide;
    document.querySelector(".runs").classList.toggle("two", !other.root.hidden);
    if (other.root.hidden) { activate(runs[0]); return runs[0].place(runs[0].shown, true); }
    for (const run of runs) run.go(Number(other.root.dataset.start), true, false); /* where they part */
  }
  button?.addEventListener("click", compare);

  const KEYS = { ArrowRight: "on", ArrowDown: "on", j: "on", ArrowLeft: "back", ArrowUp: "back", k: "back", Home: "first", End: "last",
                 PageDown: "down", PageUp: "up", n: "next", p: "previous" };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !(event.key in KEYS)) return;
    const field = event.target.closest("input, textarea, select, summary, .graph");
    if (field && !["n", "p", "j", "k"].includes(event.key)) return;
    event.preventDefault();
    active.move(KEYS[event.key]);
  });

  for (const run of runs) if (!run.root.hidden) run.go(Number(run.root.dataset.start), true, false);
  if (follow()) active.root.scrollIntoView();
  addEventListener("hashchange", () => { if (follow()) active.root.scrollIntoView(); });
})();
