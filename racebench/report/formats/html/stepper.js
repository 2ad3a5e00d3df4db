{
  const SVG = document.createRange().createContextualFragment("<svg>").firstChild.namespaceURI;
  const fill = (node, attributes, inside) => {
    for (const [name, value] of Object.entries(attributes || {}))
      if (value !== false && value !== null) node.setAttribute(name, value === true ? "" : value);
    node.append(...inside);
    return node;
  };
  const html = (tag, attributes, ...inside) => fill(document.createElement(tag), attributes, inside);
  const svg = (tag, attributes, ...inside) => fill(document.createElementNS(SVG, tag), attributes, inside);
  const WIDE = 196, GAP = 36, CHIP = 24, HEAD = 50, ARROW = 34, COLOURS = 6, AROUND = 4;
  const short = (text, most) => text.length > most ? `${text.slice(0, most - 1)}…` : text;

  // What a step touches: it stands after the name of what is done.
  const field = (does) => does.slice(does.indexOf(" ") + 1);

  // One schedule: what is so after its first n steps.
  class Schedule {
    constructor(title, end, data, steps) {
      Object.assign(this, { title, end, threads: data.threads, start: data.start });
      // What ends a step is left out where it says no more.
      this.steps = steps.map(([thread, does, value, place, locks = 0, waits = [], left]) =>
        [thread, does, value, data.places[place], locks, waits, left ?? (value.split(" → ").at(-1) || 0)]);
      this.colours = new Map();
      for (const [, , , , locks] of this.steps)
        for (const lock of locks || []) if (!this.colours.has(lock)) this.colours.set(lock, this.colours.size % COLOURS);
    }

    after(n) {
      const done = this.steps.slice(0, n), values = new Map(Object.entries(this.start));
      const held = this.threads.map(() => []), last = this.threads.map(() => "");
      for (const [thread, does, , , locks, , left] of done) {
        if (locks) held[thread] = locks;
        last[thread] = does;
        if (left !== 0) values.set(field(does), left);
      }
      const step = done[n - 1];
      const changed = step && step[6] !== 0 && step[2].includes("→") ? field(step[1]) : "";
      return { step, held, last, values, waits: step ? step[5] : [], changed };
    }

    waiting(now) {
      return now.waits.map(([thread, lock, holder]) =>
        `${this.threads[thread]} waits for ${lock}` + (holder < 0 ? "" : `, which ${this.threads[holder]} holds`));
    }

    said(n, now) {
      if (!n) return "before the first step";
      const [thread, does, value, place] = now.step;
      return `${this.threads[thread]}: ${does}${value && ` (${value})`}${place && `, in ${place}`}`;
    }
  }

  // A box a thread with the locks that it holds, and an arrow from who waits to whom it waits for.
  const board = (schedule, n, now) => {
    const { threads, colours } = schedule;
    const most = Math.max(1, ...now.held.map((locks) => locks.length));
    const bottom = HEAD + most * CHIP + 8, left = (i) => i * (WIDE + GAP) + 1;
    const wide = threads.length * (WIDE + GAP) - GAP + 2, high = bottom + now.waits.length * ARROW + 12;
    const label = [schedule.said(n, now), ...schedule.waiting(now)].join(". ");
    const picture = svg("svg", { viewBox: `0 0 ${wide} ${high}`, width: wide, height: high, role: "img",
      "aria-label": label });
    threads.forEach((name, i) => {
      const runs = now.step && now.step[0] === i, waits = now.waits.some(([thread]) => thread === i);
      const kind = ["thread", runs && "runs", waits && "waits"].filter(Boolean).join(" ");
      const box = svg("g", { class: kind },
        svg("rect", { x: left(i), y: 1, width: WIDE, height: bottom - 1, rx: 6 }),
        svg("text", { x: left(i) + 10, y: 19, class: "name" }, short(name, 22)),
        svg("text", { x: left(i) + 10, y: 38, class: "does" }, short(now.last[i] || "not begun", 23)));
      now.held[i].forEach((lock, at) => {
        const y = HEAD + at * CHIP;
        box.append(svg("rect", { x: left(i) + 8, y, width: WIDE - 16, height: CHIP - 4, rx: 4,
          class: `chip k${colours.get(lock)}` }),
          svg("text", { x: left(i) + 16, y: y + 14, class: "held" }, short(`holds ${lock}`, 22)));
      });
      picture.append(box);
    });
    now.waits.forEach(([thread, lock, holder], at) => {
      // Each arrow has a height and, at both ends, a place of its own.
      const y = bottom + (at + 1) * ARROW - 12, middle = (i, part) => left(i) + WIDE * part;
      const from = middle(thread, .38 + .06 * (at % 4)), to = holder < 0 ? from + 40 : middle(holder, .62 + .06 * (at % 4));
      const line = holder < 0 ? `M${from} ${bottom}V${y}H${to}` : `M${from} ${bottom}V${y}H${to}V${bottom + 7}`;
      picture.append(svg("path", { d: line, class: "wait" }));
      if (holder >= 0)
        picture.append(svg("path", { d: `M${to} ${bottom}l-5 9h10z`, class: "head" }));
      const text = short(`waits for ${lock}`, 34), room = Math.abs(to - from);
      picture.append(svg("text", { x: Math.min(from, to) + Math.max(6, room / 2 - text.length * 3.4), y: y - 5,
        class: "why" }, text));
    });
    return picture;
  };

  const nearby = (schedule, n, anchor) => {
    const first = Math.max(0, Math.min(n - 1 - AROUND, schedule.steps.length - 2 * AROUND - 1));
    const rows = schedule.steps.slice(first, first + 2 * AROUND + 1).map(([thread, does, value], i) => {
      const number = first + i + 1;
      return html("tr", { "aria-current": number === n && "step", class: number > n && "later" },
        html("td", { class: "number" }, html("a", { href: `#${anchor}-s${number}` }, number)),
        html("td", {}, schedule.threads[thread]), html("td", {}, does, " ", html("span", { class: "dim" }, value)));
    });
    return html("div", { class: "wide" }, html("table", { class: "nearby" }, html("tbody", {}, ...rows)));
  };

  class Stepper {
    constructor(box) {
      const data = JSON.parse(box.querySelector("script").textContent);
      this.box = box;
      this.anchor = box.dataset.anchor;
      this.n = 0;
      this.at = data.at;
      const passing = [...data.failing.slice(0, data.at), ...data.passing];
      this.sides = data.passing.length
        ? [new Schedule("fails", "here it breaks", data, data.failing),
          new Schedule("nearest that passes", "nothing is broken at its end", data, passing)]
        : [new Schedule("the schedule", "it ends here", data, data.failing)];
      this.number();
      this.open = html("button", { type: "button", class: "open" }, "Step through");
      this.open.addEventListener("click", () => { this.show(this.n, true); this.panel.focus(); });
      box.append(this.open);
    }

    // In the table of lanes below, the row of each step; its number, and those that are folded, lead to the step.
    number() {
      const link = (n) => html("a", { href: `#${this.anchor}-s${n}` }, n);
      this.rows = new Map();
      for (const row of this.box.parentElement.querySelectorAll(".lanes tbody tr")) {
        const cell = row.cells[0], n = +cell.textContent;
        if (n) { this.rows.set(n, row); cell.replaceChildren(link(n)); }
        for (const { firstChild: said } of row.querySelectorAll("li")) {
          const folded = parseInt(said.data);
          said.splitText(`${folded}`.length);
          said.replaceWith(link(folded));
        }
      }
    }

    get both() { return this.sides.length > 1 && this.beside.checked; }
    get shown() { return this.both ? this.sides : this.sides.slice(0, 1); }
    get most() { return Math.max(...this.shown.map((side) => side.steps.length)); }

    build() {
      const button = (text, label, act) => {
        const made = html("button", { type: "button", "aria-label": label, title: label }, text);
        made.addEventListener("click", () => this.show(act(), true));
        return made;
      };
      this.range = html("input", { type: "range", min: 0, max: 1, value: 0, "aria-label": "step" });
      this.range.addEventListener("input", () => this.show(+this.range.value, true));
      this.beside = html("input", { type: "checkbox", checked: this.sides.length > 1 });
      this.beside.addEventListener("change", () => this.show(this.n, true));
      this.bar = html("div", { class: "bar", role: "toolbar", "aria-label": "walk the schedule" },
        button("|◀", "before the first step (Home)", () => 0),
        button("◀", "one step back (left arrow)", () => this.n - 1),
        button("▶", "one step on (right arrow)", () => this.n + 1),
        button("▶|", "to the end (End)", () => this.most),
        button("next thread", "to the next switch of threads (Shift and right arrow)", () => this.turn(1)), this.range);
      if (this.sides.length > 1)
        this.bar.append(html("label", {}, this.beside, " beside the nearest schedule that passes"),
          button(`they part at step ${this.at + 1}`, "where the two schedules part", () => this.at + 1));
      this.status = html("p", { class: "status", role: "status", "aria-live": "polite" });
      this.body = html("div", { class: "sides" });
      this.table = html("div", { class: "wide" });
      const label = `Stepper of finding ${this.anchor.slice(1)}: the arrow keys walk its schedule`;
      this.panel = html("div", { class: "panel", role: "group", tabindex: 0, "aria-label": label },
        this.bar, this.status, this.body, this.table);
      this.panel.addEventListener("keydown", (event) => this.key(event));
      this.open.remove();
      this.box.append(this.panel);
    }

    // The next step, before or after this one, whose thread is another's than that of the step before it.
    turn(way) {
      const { steps } = this.sides[0];
      let n = this.n + way;
      while (n > 1 && n < steps.length && steps[n - 1][0] === steps[n - 2][0]) n += way;
      return n;
    }

    key(event) {
      if (event.target === this.range || event.altKey || event.ctrlKey || event.metaKey) return;
      const to = { ArrowRight: () => event.shiftKey ? this.turn(1) : this.n + 1, Home: () => 0,
        ArrowLeft: () => event.shiftKey ? this.turn(-1) : this.n - 1, End: () => this.most }[event.key];
      if (!to) return;
      event.preventDefault();
      this.show(to(), true);
    }

    show(n, remember) {
      if (!this.panel) this.build();
      Stepper.last = this;
      this.n = n = Math.max(0, Math.min(n, this.most));
      this.range.max = this.most;
      this.range.value = n;
      const nows = this.shown.map((side) => side.after(Math.min(n, side.steps.length)));
      const said = this.shown.map((side, i) => this.sentence(side, nows[i]));
      const parts = said.length > 1 && said[0] === said[1] ? [said[0]] : said.map((text, i) =>
        said.length > 1 ? `${this.shown[i].title}: ${text}` : text);
      this.range.setAttribute("aria-valuetext", `step ${n} of ${this.most}`);
      this.status.replaceChildren(html("strong", {}, `Step ${n} of ${this.most}. `),
        ...parts.flatMap((text, i) => i ? [html("br"), text] : [text]));
      this.body.classList.toggle("both", this.both);
      this.body.replaceChildren(...this.shown.map((side, i) => this.side(side, nows[i])));
      this.table.replaceChildren(this.values(nows));
      this.mark(n);
      if (remember) {
        // Where a page may not have a history (a preview in a mail program), it does without.
        try { history.replaceState(null, "", `#${this.anchor}-s${n}`); } catch { }
      }
    }

    sentence(side, now) {
      const n = Math.min(this.n, side.steps.length);
      const over = this.n >= side.steps.length ? [side.end] : [];
      return [side.said(n, now), ...side.waiting(now), ...over].join("; ") + ".";
    }

    side(side, now) {
      const n = Math.min(this.n, side.steps.length), kind = side === this.sides[0] ? "bad" : "good";
      const title = this.both ? [html("h4", { class: kind }, side.title)] : [];
      return html("section", { "aria-label": side.title }, ...title,
        html("div", { class: "wide" }, board(side, n, now)), nearby(side, n, this.anchor));
    }

    values(nows) {
      const fields = [...nows[0].values.keys()].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
      if (!fields.length) return html("p", { class: "dim" }, "no field is touched");
      const rows = fields.map((field) => {
        const texts = nows.map((now) => now.values.get(field));
        const cells = nows.map((now, i) => html("td", { class: now.changed === field ? "write" : false },
          now.changed === field ? `● ${texts[i]}` : texts[i]));
        const apart = texts.length > 1 && texts[0] !== texts[1];
        return html("tr", { class: apart && "apart" }, html("th", { scope: "row" }, field), ...cells);
      });
      const heads = this.shown.map((side) => html("th", { scope: "col" }, this.both ? side.title : "value"));
      return html("table", { class: "values" },
        html("thead", {}, html("tr", {}, html("th", { scope: "col" }, "field"), ...heads)),
        html("tbody", {}, ...rows));
    }

    // The row that is done now or was last.
    mark(n) {
      for (const row of this.box.parentElement.querySelectorAll(".lanes [aria-current]"))
        row.removeAttribute("aria-current");
      for (; n > 0; n--) {
        const row = this.rows.get(n);
        if (row) { row.setAttribute("aria-current", "step"); return; }
      }
    }
  }

  const steppers = new Map();
  for (const box of document.querySelectorAll(".stepper")) {
    const stepper = new Stepper(box);
    steppers.set(stepper.anchor, stepper);
  }
  const follow = () => {
    const link = /^#(f\d+)-s(\d+)$/.exec(location.hash), stepper = link && steppers.get(link[1]);
    if (!stepper) return;
    stepper.show(+link[2], false);
    stepper.panel.scrollIntoView({ block: "nearest" });
    stepper.panel.focus({ preventScroll: true });
  };
  addEventListener("hashchange", follow);
  document.addEventListener("keydown", (event) => {
    if (event.target === document.body && Stepper.last && !event.defaultPrevented) Stepper.last.key(event);
  });
  follow();
}
