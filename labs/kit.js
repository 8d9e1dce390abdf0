// What every lab is made of: controls, plots, state in the address, a store on the
// reader's device, predictions and quizzes. README.md tells how to write a lab.
(() => {
  "use strict";
  const nnperf = (window.nnperf = window.nnperf || {});
  const labs = {};
  let ids = 0; // of elements that others name

  // --- small things -----------------------------------------------------------------

  /** Return a new element; a function among the attributes listens to that event. */
  function h(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (typeof value === "function") element.addEventListener(name, value);
      else if (name in element && typeof value === "boolean") element[name] = value;
      else if (value !== undefined) element.setAttribute(name, value);
    }
    element.append(...children);
    return element;
  }

  /** Return a piece of text that Python has made HTML of. */
  function rich(html, tag = "span") {
    const element = h(tag);
    element.innerHTML = html;
    return element;
  }

  const RAISED = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴" };
  Object.assign(RAISED, { 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" });
  const power = (exponent) =>
    `10${[...String(exponent)].map((c) => RAISED[c]).join("")}`;

  /** Return a number with three digits: 0.235, 1,250, 3.1 × 10⁻⁸. */
  function number(value) {
    if (value === 0) return "0";
    if (Number.isNaN(value)) return "not a number";
    const size = Math.abs(value);
    if (size === Infinity) return value > 0 ? "infinite" : "−infinite";
    let text;
    if (size >= 1e-3 && size < 1e5) {
      const digits = Math.max(0, 2 - Math.floor(Math.log10(size)));
      text = value.toLocaleString("en", { maximumFractionDigits: digits });
    } else {
      const [mantissa, exponent] = value.toExponential(1).split("e");
      text = `${mantissa}\u00a0×\u00a0${power(Number(exponent))}`;
    }
    return text.replace("-", "−");
  }

  // as in nnperf_utils/labs.py: “ points” without s, “ classes” without es
  const PLURAL = /(?<=[a-z]{2})(?:(?<=ss|sh|ch)es|(?<!s)s)$/;

  /** Return a number with its unit, in the singular behind 1. */
  function withUnit(value, unit) {
    const text = number(value);
    return text + (text === "1" ? unit.replace(PLURAL, "") : unit);
  }

  /** Return `length` numbers from low to high, evenly spaced. */
  const linspace = (low, high, length) =>
    Array.from({ length }, (_, i) => low + ((high - low) * i) / (length - 1));

  /** Return `length` numbers from low to high, evenly spaced in their logarithm. */
  const logspace = (low, high, length) =>
    linspace(Math.log10(low), Math.log10(high), length).map((e) => 10 ** e);

  /** Return a frame's rows as objects; Python sends its columns. */
  function rows({ columns }) {
    const names = Object.keys(columns);
    const values = names.map((name) => {
      const column = columns[name];
      return column.codes ? column.codes.map((code) => column.levels[code]) : column;
    });
    return Array.from(values[0] || [], (_, i) =>
      Object.fromEntries(names.map((name, k) => [name, values[k][i]])),
    );
  }

  const sorted = (values) => [...values].sort((a, b) => a - b);
  /** Return a quantile of the finite values; NaN where there is none. */
  const quantile = (values, share) =>
    nnperf.d3.quantileSorted(sorted(values.filter(Number.isFinite)), share) ?? NaN;
  const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

  // --- what the reader's device keeps ------------------------------------------------

  const KEY = "nnperf";
  const VERSION = 1;
  const PARTS = ["predictions", "quizzes", "labs", "chapters"];
  const isRecord = (value) =>
    typeof value === "object" && value !== null && !Array.isArray(value);
  let memory = null; // where the device keeps nothing

  /** Return {version, predictions, quizzes, labs, chapters} of what was found. */
  function sound(found) {
    if (!isRecord(found) || found.version !== VERSION) found = {};
    const result = { version: VERSION };
    for (const part of PARTS)
      result[part] = Object.fromEntries(
        Object.entries(isRecord(found[part]) ? found[part] : {}).filter(([, value]) =>
          isRecord(value),
        ),
      );
    return result;
  }

  /** Return all that is kept, each part by id. */
  function kept() {
    let found = memory;
    try {
      found = JSON.parse(localStorage.getItem(KEY)) || memory;
    } catch {
      // no storage, or not what was once written there: begin anew
    }
    return sound(found);
  }

  /** Keep all of this in place of what was kept, or forget it where it is null. */
  function replace(all, detail = {}) {
    memory = all && sound(all);
    try {
      if (memory) localStorage.setItem(KEY, JSON.stringify(memory));
      else localStorage.removeItem(KEY);
    } catch {
      // full or forbidden: it lives as long as the page
    }
    document.dispatchEvent(new CustomEvent("nnperf:kept", { detail }));
  }

  /** Keep a record, or forget it where it is null, and tell the page. */
  function keep(part, id, record) {
    const all = kept();
    if (record === null) delete all[part][id];
    else all[part][id] = record;
    replace(all, { part, id });
  }

  const now = () => new Date().toISOString();
  const store = { KEY, VERSION, PARTS, isRecord, read: kept, keep, replace };

  // --- state in the address ----------------------------------------------------------

  // In a notebook the address belongs to the notebook; boot.js says that this is a page.
  const address = {
    pending: null,
    /** The state of all labs of the page, as the address has it or is about to. */
    held: new URLSearchParams(),
    /** Read it; an anchor of the page, which has no “=”, says nothing about labs. */
    read() {
      const found = nnperf.ownsAddress && location.hash.includes("=");
      if (found) address.held = new URLSearchParams(location.hash.slice(1));
      return found;
    },
    get: (key, name) => address.held.get(`${key}.${name}`),
    /** Keep a value, or drop it where it is null; browsers want few writes a second. */
    set(key, name, value) {
      if (!nnperf.ownsAddress) return;
      if (value === null) address.held.delete(`${key}.${name}`);
      else address.held.set(`${key}.${name}`, value);
      address.pending = address.pending || setTimeout(address.write, 150);
    },
    write() {
      address.pending = null;
      const fragment = String(address.held);
      if (!fragment && !location.hash.includes("=")) return;
      const page = location.href.split("#")[0];
      history.replaceState(history.state, "", fragment ? `#${fragment}` : page);
    },
  };
  address.read();
  addEventListener("hashchange", () => {
    if (address.read()) document.dispatchEvent(new CustomEvent("nnperf:address"));
  });

  // --- plots ------------------------------------------------------------------------

  const SVG = "http://www.w3.org/2000/svg";
  const MARGIN = { top: 26, right: 14, bottom: 40, left: 52 };

  /** Return the ticks of an axis and how each is written. */
  function ticks(scale, { log, ticks: wanted, format }, room) {
    const most = Math.max(2, Math.floor(room));
    if (wanted) return [wanted, format || number];
    if (!log) return [scale.ticks(most), format || number];
    const [low, high] = scale.domain().map(Math.log10);
    const first = Math.ceil(low - 1e-9);
    const count = Math.floor(high + 1e-9) - first + 1;
    if (count < 2) return [scale.ticks(4), format || number];
    const every = Math.ceil(count / most);
    const exponents = Array.from({ length: count }, (_, i) => first + i).filter(
      (e) => (e - first) % every === 0,
    );
    const plain = first >= -3 && first + count <= 5;
    return [
      exponents.map((e) => 10 ** e),
      format || ((v) => (plain ? number(v) : power(Math.round(Math.log10(v))))),
    ];
  }

  /** A picture with two axes, as wide as its place; `frame` begins each drawing. */
  class Plot {
    constructor({ height = 260, margin = {}, aspect = null, interactive = false }) {
      Object.assign(this, { height, aspect, handles: [] });
      this.margin = { ...MARGIN, ...margin };
      this.element = h("div", { class: "nnp-plot" });
      const root = document.createElementNS(SVG, "svg");
      this.element.append(root);
      this.svg = nnperf.d3.select(root).attr("role", interactive ? "group" : "img");
      this.axes = this.svg.append("g").attr("aria-hidden", true);
      this.marksLayer = this.svg.append("g").attr("aria-hidden", true);
      this.surface = this.svg.append("g");
    }

    /** Lay out the plot and its axes; x and y are {domain, log, label, ticks, format}. */
    frame(x, y) {
      const { top, right, bottom, left } = this.margin;
      const width = Math.max(220, this.element.clientWidth || 640);
      const inner = width - left - right;
      const height = this.aspect ? inner * this.aspect + top + bottom : this.height;
      Object.assign(this, { width, inner, full: height });
      this.svg.attr("viewBox", `0 0 ${width} ${height}`).attr("height", height);
      const scale = ({ log, domain }, range) =>
        (log ? nnperf.d3.scaleLog() : nnperf.d3.scaleLinear())
          .domain(domain)
          .range(range);
      this.x = scale(x, [left, width - right]);
      this.y = scale(y, [height - bottom, top]);
      const [xTicks, xFormat] = ticks(this.x, x, inner / 70);
      const [yTicks, yFormat] = ticks(this.y, y, (height - top - bottom) / 34);
      const bottomAxis = nnperf.d3.axisBottom(this.x).tickValues(xTicks);
      const leftAxis = nnperf.d3.axisLeft(this.y).tickValues(yTicks);
      this.axes.selectAll("*").remove();
      this.axes
        .append("g")
        .attr("class", "nnp-axis")
        .attr("transform", `translate(0,${height - bottom})`)
        .call(bottomAxis.tickFormat(xFormat).tickSizeOuter(0));
      this.axes
        .append("g")
        .attr("class", "nnp-axis nnp-grid")
        .attr("transform", `translate(${left},0)`)
        .call(leftAxis.tickFormat(yFormat).tickSize(-inner));
      const label = (text, at, up, anchor) =>
        this.axes
          .append("text")
          .attr("class", "nnp-label")
          .attr("x", at)
          .attr("y", up)
          .attr("text-anchor", anchor)
          .text(text);
      label(x.label, width - right, height - 6, "end");
      label(y.label, 2, 14, "start");
      this.used = new Set();
      return this;
    }

    /** Draw one element for each datum; attributes are values or functions of it. */
    marks(tag, kind, data, attributes) {
      this.used.add(kind);
      const name = kind.split(" ")[0];
      let group = this.marksLayer.selectAll(`g[data-kind="${name}"]`).data([0]);
      group = group.join("g").attr("data-kind", name);
      const drawn = group.selectAll(tag).data(data).join(tag).attr("class", kind);
      for (const [key, value] of Object.entries(attributes))
        if (key === "text") drawn.text(value);
        else drawn.attr(key, value);
      return drawn;
    }

    /** Draw a line through [x, y] pairs; it breaks where one is not finite. */
    line(kind, points) {
      const path = nnperf.d3
        .line()
        .defined((p) => Number.isFinite(this.y(p[1])))
        .x((p) => this.x(p[0]))
        .y((p) => this.y(p[1]));
      return this.marks("path", `${kind} nnp-line`, [points], { d: path });
    }

    /** Draw the area between [x, low, high] triples. */
    band(kind, points) {
      const path = nnperf.d3
        .area()
        .x((p) => this.x(p[0]))
        .y0((p) => this.y(p[1]))
        .y1((p) => this.y(p[2]));
      return this.marks("path", `${kind} nnp-band`, [points], { d: path });
    }

    /** Whether a place is on the axes at all: zero is not on a logarithmic one. */
    has(x, y) {
      return Number.isFinite(this.x(x)) && Number.isFinite(this.y(y));
    }

    dots(kind, points, radius = 4) {
      const shown = points.filter(([x, y]) => this.has(x, y));
      return this.marks("circle", `${kind} nnp-dot`, shown, {
        cx: (p) => this.x(p[0]),
        cy: (p) => this.y(p[1]),
        r: radius,
      });
    }

    /** Draw boxes of [x from, x to, y from, y to]. */
    boxes(kind, boxes, attributes = {}) {
      return this.marks("rect", kind, boxes, {
        x: (b) => this.x(b[0]),
        width: (b) => Math.max(0, this.x(b[1]) - this.x(b[0])),
        y: (b) => Math.min(this.y(b[2]), this.y(b[3])),
        height: (b) => Math.abs(this.y(b[2]) - this.y(b[3])),
        ...attributes,
      });
    }

    /** Write {x, y, text, anchor, dx, dy} at their places. */
    words(kind, labels) {
      const shown = labels.filter(({ x, y }) => this.has(x, y));
      return this.marks("text", `${kind} nnp-words`, shown, {
        x: (w) => this.x(w.x) + (w.dx || 0),
        y: (w) => this.y(w.y) + (w.dy || 0),
        "text-anchor": (w) => w.anchor || "start",
        text: (w) => w.text,
      });
    }

    /** Draw lines between [x, y, x, y]. */
    segments(kind, segments) {
      return this.marks("line", `${kind} nnp-line`, segments, {
        x1: (s) => this.x(s[0]),
        y1: (s) => this.y(s[1]),
        x2: (s) => this.x(s[2]),
        y2: (s) => this.y(s[3]),
      });
    }

    /** Return a reference to the plot's area, for what must not be drawn beyond it. */
    inside() {
      this.clip = this.clip || `nnp-${++ids}`;
      const { left, right, top, bottom } = this.margin;
      const area = this.svg.selectAll("clipPath").data([0]).join("clipPath");
      area.attr("id", this.clip);
      const box = area.selectAll("rect").data([0]).join("rect").attr("x", left);
      box.attr("y", top).attr("width", this.width - left - right);
      box.attr("height", this.full - top - bottom);
      return `url(#${this.clip})`;
    }

    /** Draw arrows [x, y, x, y]. */
    arrows(kind, arrows) {
      const head = ([x1, y1, x2, y2]) => {
        const [ax, ay, bx, by] = [this.x(x1), this.y(y1), this.x(x2), this.y(y2)];
        const turn = (Math.atan2(by - ay, bx - ax) * 180) / Math.PI;
        return `M${ax},${ay}L${bx},${by}` + this.head(bx, by, turn);
      };
      return this.marks("path", `${kind} nnp-line`, arrows, { d: head });
    }

    head(x, y, degrees) {
      const side = (by) => {
        const angle = ((degrees + 180 + by) * Math.PI) / 180;
        return `${x + 10 * Math.cos(angle)},${y + 10 * Math.sin(angle)}`;
      };
      return `M${side(28)}L${x},${y}L${side(-28)}`;
    }

    /** End a drawing: what was not drawn this time goes, handles come to their places. */
    finish(summary) {
      const { used } = this;
      this.marksLayer.selectAll("g[data-kind]").each(function () {
        const kind = this.getAttribute("data-kind");
        if (![...used].some((one) => one.split(" ")[0] === kind)) this.remove();
      });
      for (const place of this.handles) place();
      this.svg.attr("aria-label", summary);
    }

    /**
     * Add a point to be dragged, or moved with the arrow keys.
     *
     * `get` returns [x, y]; `set(x, y)` gets where it is to go; `step` is what a key
     * moves it by, [x, y], a factor on a logarithmic axis and 0 where it does not go;
     * `tell` puts it in words.
     */
    handle({ label, get, set, step, tell, vertical = false }) {
      const node = this.surface
        .append("circle")
        .attr("class", "nnp-handle")
        .attr("r", 9)
        .attr("tabindex", 0)
        .attr("role", "slider")
        .attr("aria-label", label);
      if (vertical) node.attr("aria-orientation", "vertical");
      // up and down move a point that only goes to the sides, as they move any slider
      const sideways = { ArrowRight: 1, ArrowLeft: -1 };
      const upward = { ArrowUp: 1, ArrowDown: -1, PageUp: 5, PageDown: -5 };
      const moved = (scale, at, by, times) =>
        scale.base ? at * by ** times : at + by * times;
      node.on("keydown", (event) => {
        const times =
          (upward[event.key] || sideways[event.key]) * (event.shiftKey ? 5 : 1);
        if (!times || (vertical && sideways[event.key])) return;
        event.preventDefault();
        const [x, y] = get();
        if (sideways[event.key] || !step[1]) set(moved(this.x, x, step[0], times), y);
        else set(x, moved(this.y, y, step[1], times));
      });
      node.call(
        nnperf.d3
          .drag()
          .container(() => this.svg.node())
          .on("start", () => node.node().focus())
          .on("drag", (event) => {
            const at = this.local(event.sourceEvent);
            set(this.x.invert(at[0]), this.y.invert(at[1]));
          }),
      );
      this.handles.push(() => {
        const [x, y] = get();
        node
          .attr("cx", this.x(x))
          .attr("cy", this.y(y))
          .attr("aria-valuemin", Math.min(...this[vertical ? "y" : "x"].domain()))
          .attr("aria-valuemax", Math.max(...this[vertical ? "y" : "x"].domain()))
          .attr("aria-valuenow", vertical ? y : x)
          .attr("aria-valuetext", tell(x, y));
      });
      return node;
    }

    /** Return where an event of mouse or finger is, in the picture's own pixels. */
    local(event) {
      const { clientX, clientY } =
        event.touches?.[0] || event.changedTouches?.[0] || event;
      const box = this.svg.node().getBoundingClientRect();
      const scale = this.width / box.width;
      return [(clientX - box.left) * scale, (clientY - box.top) * scale];
    }

    /**
     * Let the reader draw a curve: one value for each of `xs`.
     *
     * `get(i)` and `set(i, y)` read and write a value; a key moves it by `step`.
     */
    sketch({ xs, names, get, set, step, unit = "" }) {
      const held = (y) => Math.min(Math.max(y, this.y.domain()[0]), this.y.domain()[1]);
      const ground = this.surface.append("rect").attr("class", "nnp-ground");
      let before = null;
      const draw = (event) => {
        const [px, py] = this.local(event.sourceEvent);
        // what lies between two places of a fast finger is drawn too
        const [fromX, fromY] = before || [px, py];
        const reach =
          (xs.length > 1 ? Math.abs(this.x(xs[1]) - this.x(xs[0])) : 20) / 2;
        xs.forEach((x, i) => {
          const at = this.x(x);
          const low = Math.min(px, fromX) - (before ? 0 : reach);
          const high = Math.max(px, fromX) + (before ? 0 : reach);
          const near = Math.abs(at - px) <= reach / 2;
          if (!near && (at < low || at > high)) return;
          const share =
            px === fromX ? 1 : Math.min(1, Math.max(0, (at - fromX) / (px - fromX)));
          set(i, held(this.y.invert(fromY + share * (py - fromY))));
        });
        before = [px, py];
      };
      ground.call(
        nnperf.d3
          .drag()
          .container(() => this.svg.node())
          .on("start", (event) => {
            before = null;
            draw(event);
          })
          .on("drag", draw),
      );
      const nodes = xs.map((x, i) =>
        this.handle({
          label: names[i],
          get: () => [x, get(i)],
          set: (_, y) => set(i, held(y)),
          step: [0, step],
          tell: (_, y) => withUnit(y, unit),
          vertical: true,
        }).attr("r", 6),
      );
      // one stop for the tab key; arrows to the sides go from point to point
      nodes.forEach((node, i) => {
        node.attr("tabindex", i ? -1 : 0).on("keydown.side", (event) => {
          const goal = { ArrowRight: i + 1, ArrowLeft: i - 1, Home: 0 }[event.key];
          const to = event.key === "End" ? xs.length - 1 : goal;
          if (!nodes[to]) return;
          event.preventDefault();
          node.attr("tabindex", -1);
          nodes[to].attr("tabindex", 0).node().focus();
        });
      });
      this.handles.push(() => {
        const { left, right, top, bottom } = this.margin;
        ground
          .attr("x", left - 8)
          .attr("width", this.width - left - right + 16)
          .attr("y", top)
          .attr("height", this.full - top - bottom);
      });
    }
  }

  // --- controls ---------------------------------------------------------------------

  /** Return a slider over values: {element, show(value)}. */
  function slider({ label, values, format = number }, onInput) {
    const id = `nnp-${++ids}`;
    const input = h("input", {
      id,
      type: "range",
      min: 0,
      max: values.length - 1,
      step: 1,
      input: () => onInput(values[input.valueAsNumber]),
    });
    const output = h("output", { for: id });
    return {
      element: h(
        "div",
        { class: "nnp-control" },
        h("label", { for: id }, label, " "),
        output,
        input,
      ),
      input,
      show(value) {
        const distance = values.map((one) => Math.abs(one - value));
        input.value = distance.indexOf(Math.min(...distance));
        output.textContent = format(value);
        input.setAttribute("aria-valuetext", format(value));
      },
    };
  }

  /** Return a choice of one among options {value: label}: {element, show(value)}. */
  function choice({ label, options, stacked = false }, onInput) {
    const name = `nnp-${++ids}`;
    const inputs = Object.entries(options).map(([value, text]) => [
      h("input", { type: "radio", name, value, input: () => onInput(value) }),
      text,
    ]);
    return {
      element: h(
        "fieldset",
        { class: `nnp-control nnp-choice${stacked ? " nnp-stacked" : ""}` },
        h("legend", {}, label),
        ...inputs.map(([input, text]) => h("label", {}, input, text)),
      ),
      show(value) {
        for (const [input] of inputs) input.checked = input.value === String(value);
      },
    };
  }

  /** Return a switch: {element, show(value)}. */
  function toggle({ label }, onInput) {
    const input = h("input", {
      type: "checkbox",
      role: "switch",
      input: () => onInput(input.checked),
    });
    return {
      element: h("label", { class: "nnp-control nnp-toggle" }, input, label),
      show(value) {
        input.checked = value;
      },
    };
  }

  /** Return a table of texts; the first of each row is its head. */
  function table(head, rows) {
    const line = (cells, tag) =>
      h(
        "tr",
        {},
        ...cells.map((cell, i) => h(i && tag === "td" ? "td" : "th", {}, cell)),
      );
    return h(
      "div",
      { class: "nnp-scroll" },
      h(
        "table",
        { class: "nnp-table" },
        h("thead", {}, line(head, "th")),
        h("tbody", {}, ...rows.map((cells) => line(cells, "td"))),
      ),
    );
  }

  const button = (text, click, attributes = {}) =>
    h("button", { type: "button", class: "nnp-button", click, ...attributes }, text);

  /** Return a hidden place that a screen reader reads out once the reader pauses. */
  function speaker() {
    const element = h("p", { class: "nnp-hidden", "aria-live": "polite" });
    let timer = null;
    return {
      element,
      say(text) {
        clearTimeout(timer);
        if (text !== element.textContent)
          timer = setTimeout(() => (element.textContent = text), 500);
      },
    };
  }

  // --- a lab ------------------------------------------------------------------------

  /** A lab in the page: what NAME.js gets to build itself with. */
  class Lab {
    constructor(section, payload) {
      Object.assign(this, { section, payload, data: payload.data, state: {} });
      this.key = section.dataset.key;
      this.declared = {};
      this.plots = [];
      this.body = h("div", { class: "nnp-body" });
      this.controls = h("div", { class: "nnp-controls" });
      this.caption = h("p", { class: "nnp-caption" });
      this.result = h("p", { class: "nnp-result", "aria-live": "polite" });
      this.voice = speaker();
      this.body.append(this.controls);
    }

    /** Add a piece of state: `parse` returns a value, or undefined for nonsense. */
    declare(name, start, parse, show = () => {}, write = String) {
      const text = address.get(this.key, name);
      const found = text === null ? undefined : parse(text);
      this.declared[name] = { start, parse, show, write };
      this.state[name] = found === undefined ? start : found;
      show(this.state[name]);
    }

    /** Change the state, the controls, the address, and draw. */
    set(changes) {
      for (const [name, value] of Object.entries(changes)) {
        const { start, show, write } = this.declared[name];
        this.state[name] = value;
        show(value);
        const text = write(value);
        address.set(this.key, name, text === write(start) ? null : text);
      }
      this.changed();
    }

    /** Read the state from the address once more. */
    reread() {
      for (const [name, one] of Object.entries(this.declared)) {
        const text = address.get(this.key, name);
        const found = text === null ? one.start : one.parse(text);
        this.state[name] = found === undefined ? one.start : found;
        one.show(this.state[name]);
      }
      this.changed();
    }

    /** Add a slider over values; `start` is one of them, or near one. */
    slider(name, { start, ...options }, place = this.controls) {
      const { values } = options;
      const nearest = (value) =>
        values.reduce((a, b) => (Math.abs(b - value) < Math.abs(a - value) ? b : a));
      const control = slider(options, (value) => this.set({ [name]: value }));
      place.append(control.element);
      const parse = (text) =>
        text.trim() && Number.isFinite(Number(text))
          ? nearest(Number(text))
          : undefined;
      const write = (value) => String(Number(value.toPrecision(4)));
      this.declare(name, nearest(start), parse, control.show, write);
    }

    /** Add a choice of one among options {value: label}; the first is the start. */
    choice(name, options, place = this.controls) {
      const control = choice(options, (value) => this.set({ [name]: value }));
      place.append(control.element);
      const values = Object.keys(options.options);
      const parse = (text) => (values.includes(text) ? text : undefined);
      this.declare(name, options.start ?? values[0], parse, control.show);
    }

    /** Add a switch, off at the start. */
    toggle(name, options, place = this.controls) {
      const control = toggle(options, (value) => this.set({ [name]: value }));
      place.append(control.element);
      const parse = (text) => ({ 1: true, 0: false })[text];
      this.declare(name, false, parse, control.show, (value) => (value ? "1" : "0"));
    }

    /** Add a whole number from 0 to `most`, without a control of its own. */
    count(name, most, start = 0, show = () => {}) {
      const parse = (text) =>
        /^\d{1,6}$/.test(text) && +text <= most ? +text : undefined;
      this.declare(name, start, parse, show);
    }

    /** Add a point [x, y] within bounds, without a control of its own. */
    point(name, start, [xLow, xHigh], [yLow, yHigh]) {
      const parse = (text) => {
        const [x, y, ...more] = text.split(" ").map(Number);
        const sound = x >= xLow && x <= xHigh && y >= yLow && y <= yHigh;
        return sound && !more.length ? [x, y] : undefined;
      };
      const write = (value) => value.map((v) => String(Number(v.toFixed(3)))).join(" ");
      this.declare(name, start, parse, undefined, write);
    }

    /** Add a list of words from `known`, without a control of its own. */
    list(name, known, most = Infinity) {
      const parse = (text) => {
        const words = text ? text.split(" ") : [];
        const sound =
          words.length <= most && words.every((word) => known.includes(word));
        return sound ? words : undefined;
      };
      this.declare(name, [], parse, undefined, (words) => words.join(" "));
    }

    /** Add buttons {text: function}. */
    buttons(actions, place = this.controls) {
      const made = Object.entries(actions).map(([text, act]) => button(text, act));
      place.append(h("div", { class: "nnp-buttons" }, ...made));
      return made;
    }

    /** Add the seed, shown, and a button for another. */
    seed(place = this.controls) {
      const shown = h("output", {}, "");
      const next = () => this.set({ seed: this.state.seed + 1 });
      place.append(
        h(
          "div",
          { class: "nnp-control nnp-seed" },
          shown,
          button("Another seed", next),
        ),
      );
      this.count("seed", 999999, 1, (seed) => (shown.textContent = `Seed ${seed}`));
    }

    /** Add step, play and back buttons over a count `name` from 0 to `most`. */
    player(name, most, { what = "step", pause = 120 } = {}, place = this.controls) {
      let timer = null;
      const stop = () => {
        clearInterval(timer);
        timer = null;
        play.textContent = "Play";
      };
      const forward = () => {
        if (this.state[name] < most) this.set({ [name]: this.state[name] + 1 });
        if (this.state[name] >= most || !this.section.isConnected) stop();
      };
      const shown = h("output", {});
      const step = button(`One ${what}`, () => (stop(), forward()));
      const play = button("Play", () => {
        if (timer) return stop();
        if (this.state[name] >= most) this.set({ [name]: 0 });
        // without motion there is the end alone
        if (still()) return this.set({ [name]: most });
        play.textContent = "Pause";
        timer = setInterval(forward, pause);
      });
      const back = button("Back to the start", () => (stop(), this.set({ [name]: 0 })));
      const row = h("div", { class: "nnp-buttons" }, step, play, back, shown);
      place.append(row);
      this.count(name, most, 0, (at) => {
        shown.textContent = `${what} ${at} of ${most}`;
      });
      this.stop = stop;
      return row;
    }

    /** Add a plot. */
    plot(options = {}) {
      const plot = new Plot(options);
      this.plots.push(plot);
      this.body.append(plot.element);
      return plot;
    }

    /** Add an element of the lab's own. */
    add(element) {
      this.body.append(element);
      return element;
    }

    /** Say how to draw the state; the function returns what the picture shows, in words. */
    draw(drawing) {
      this.drawing = drawing;
    }

    /** Draw before the next frame, once however much has changed. */
    changed() {
      if (this.waiting) return;
      this.waiting = true;
      requestAnimationFrame(() => {
        this.waiting = false;
        this.drawNow();
      });
    }

    drawNow() {
      try {
        const summary = this.drawing();
        this.caption.textContent = summary;
        this.voice.say(summary);
        for (const plot of this.plots) plot.finish(summary);
      } catch (error) {
        this.caption.textContent = `This lab does not work here: ${error.message}`;
        throw error;
      }
    }

    /** Say that the goal is reached, once it is; the lab's last sentence comes with it. */
    reached(isReached) {
      if (isReached && !this.done) {
        this.done = true;
        if (!kept().labs[this.key]) keep("labs", this.key, { reached: now() });
        this.showReached();
      }
    }

    showReached() {
      this.section.classList.add("nnp-reached");
      this.result.replaceChildren(
        h("strong", {}, "Goal reached. "),
        rich(this.payload.takeaway),
      );
    }

    mount() {
      this.body.append(this.caption, this.result, this.voice.element);
      stage(this.section).replaceChildren(this.body);
      this.done = Boolean(kept().labs[this.key]);
      if (this.done) this.showReached();
      this.drawNow();
      let { clientWidth } = this.body;
      new ResizeObserver(() => {
        if (this.body.clientWidth === clientWidth) return;
        ({ clientWidth } = this.body);
        this.changed();
      }).observe(this.body);
      document.addEventListener("nnperf:address", () => this.reread());
    }
  }

  const stage = (section) => section.querySelector(".nnp-stage");

  function mountLab(section, payload) {
    const build = labs[section.dataset.name];
    if (!build) throw new Error(`there is no lab “${section.dataset.name}”.`);
    const lab = new Lab(section, payload);
    build(lab);
    lab.mount();
  }

  // --- predictions ------------------------------------------------------------------

  /** The kinds of prediction: what is committed, checked, put in words and drawn. */
  const PREDICTIONS = {
    options: {
      sound: (spec, { said }) =>
        Number.isInteger(said) && said >= 0 && said < spec.options.length,
      words: (spec, said) => spec.options[said],
      controls(spec, onChange) {
        const options = Object.fromEntries(
          spec.options.map((text, i) => [i, rich(text)]),
        );
        const control = choice(
          { label: "Your guess", options, stacked: true },
          (value) => onChange(Number(value)),
        );
        return control.element;
      },
    },
    value: {
      sound: (spec, { said }) => Number.isFinite(said),
      words: (spec, said) => withUnit(said, spec.unit),
      controls(spec, onChange) {
        const space = spec.log ? logspace : linspace;
        const values = space(spec.between[0], spec.between[1], 101);
        const format = (value) => withUnit(value, spec.unit);
        const control = slider({ label: "Your guess", values, format }, (value) => {
          control.show(value);
          onChange(value);
        });
        control.show(values[50]);
        return control.element;
      },
    },
    curve: {
      sound: (spec, { said }) =>
        Array.isArray(said) &&
        said.length === spec.x.length &&
        said.every(Number.isFinite),
      words: (spec, said) =>
        `${withUnit(said[0], spec.unit)} at ${spec.x[0]}, ` +
        `${withUnit(said[said.length - 1], spec.unit)} at ${spec.x[spec.x.length - 1]}`,
      controls(spec, onChange) {
        const middle = spec.log
          ? Math.sqrt(spec.between[0] * spec.between[1])
          : (spec.between[0] + spec.between[1]) / 2;
        const said = spec.x.map(() => middle);
        const plot = new Plot({ interactive: true });
        const redraw = () => {
          curveFrame(plot, spec).line(
            "said nnp-c2",
            spec.x.map((x, i) => [x, said[i]]),
          );
          plot.finish("Draw your guess: drag, or use the arrow keys.");
        };
        const step = spec.log
          ? (spec.between[1] / spec.between[0]) ** (1 / 40)
          : (spec.between[1] - spec.between[0]) / 40;
        plot.sketch({
          xs: spec.x,
          names: spec.x.map((x) => `Your guess at ${spec.x_label} ${x}`),
          get: (i) => said[i],
          set(i, y) {
            said[i] = y;
            onChange([...said]);
            redraw();
          },
          step,
          unit: spec.unit,
        });
        new ResizeObserver(redraw).observe(plot.element);
        return plot.element;
      },
    },
  };

  /** Lay out a curve's axes. */
  const curveFrame = (plot, spec) => {
    const [first, last] = [spec.x[0], spec.x[spec.x.length - 1]];
    const beyond = (last - first) / 30;
    return plot.frame(
      {
        domain: [first - beyond, last + beyond],
        label: spec.x_label,
        ticks: spec.x.length < 13 ? spec.x : null,
      },
      { domain: spec.between, log: spec.log, label: spec.y_label },
    );
  };

  /** Return what the reader has said, if it fits the question. */
  function prediction(spec) {
    const found = kept().predictions[spec.id];
    const sound =
      found && found.kind === spec.kind && PREDICTIONS[spec.kind].sound(spec, found);
    return sound ? found : null;
  }

  const SURE = {
    40: "a guess: 40%",
    60: "rather: 60%",
    80: "fairly: 80%",
    95: "sure: 95%",
  };

  function mountPrediction(section, spec) {
    const place = stage(section);
    const show = () => {
      const found = prediction(spec);
      if (found) {
        const again = button("Forget this guess", () => {
          keep("predictions", spec.id, null);
          place.querySelector("input, [tabindex='0']")?.focus();
        });
        const sure = found.sure ? ` (${found.sure}% sure)` : "";
        place.replaceChildren(
          h(
            "p",
            { class: "nnp-said", tabindex: -1 },
            "You say: ",
            rich(PREDICTIONS[spec.kind].words(spec, found.said), "strong"),
            `${sure}. Further down, what was measured is shown beside it. `,
          ),
          again,
        );
        return;
      }
      let said;
      const commit = button(
        "Commit to it",
        () => {
          const record = { kind: spec.kind, said, at: now() };
          if (spec.kind === "options") record.sure = Number(sure.value);
          keep("predictions", spec.id, record);
          place.querySelector(".nnp-said")?.focus();
        },
        { disabled: true },
      );
      const element = PREDICTIONS[spec.kind].controls(spec, (value) => {
        said = value;
        commit.disabled = false;
      });
      const sure = h(
        "select",
        {},
        ...Object.entries(SURE).map(([value, text]) => h("option", { value }, text)),
      );
      const row = h("div", { class: "nnp-buttons" });
      if (spec.kind === "options") row.append(h("label", {}, "How sure? ", sure));
      row.append(commit);
      place.replaceChildren(element, row);
    };
    show();
    onKept("predictions", spec.id, show);
  }

  function onKept(part, id, then) {
    document.addEventListener("nnperf:kept", ({ detail }) => {
      if (detail.part === part && detail.id === id) then();
    });
  }

  /** Show what was said beside what was measured. */
  function mountAnswer(section, { question, measured, words }) {
    const place = stage(section);
    const show = () => {
      const found = prediction(question);
      const said = found
        ? rich(PREDICTIONS[question.kind].words(question, found.said), "strong")
        : h("em", {}, "nothing, on this device");
      const line = h(
        "p",
        { class: "nnp-verdict" },
        h("span", {}, "You said: ", said),
        h("span", {}, "Measured: ", rich(words, "strong")),
      );
      place.replaceChildren(line);
      if (found && question.kind === "options")
        line.append(
          h("span", {}, found.said === measured ? "✓ as you said" : "✗ not so"),
        );
      if (question.kind !== "curve") return;
      const plot = new Plot({});
      place.append(plot.element);
      const redraw = () => {
        curveFrame(plot, question);
        const pairs = (ys) => question.x.map((x, i) => [x, ys[i]]);
        plot.line("measured nnp-c1", pairs(measured));
        plot.dots("measured-dots nnp-c1", pairs(measured));
        if (found) plot.line("said nnp-c2 nnp-dashed", pairs(found.said));
        const last = question.x.length - 1;
        const label = (ys, text) => ({
          x: question.x[last],
          y: ys[last],
          dx: -6,
          dy: -8,
          text,
          anchor: "end",
        });
        const labels = [label(measured, "measured")];
        if (found) labels.push(label(found.said, "you"));
        plot.words("names", labels);
        plot.finish(`Measured: ${PREDICTIONS.curve.words(question, measured)}.`);
      };
      new ResizeObserver(redraw).observe(plot.element);
    };
    show();
    onKept("predictions", question.id, show);
  }

  // --- quiz -------------------------------------------------------------------------

  const isOrder = (order, length) =>
    Array.isArray(order) &&
    order.length === length &&
    [...order].sort((a, b) => a - b).every((value, i) => value === i);

  function drawOrder(length) {
    const order = Array.from({ length }, (_, i) => i);
    for (let i = length - 1; i > 0; i--) {
      const j = Math.floor(Math.random() * (i + 1));
      [order[i], order[j]] = [order[j], order[i]];
    }
    return order;
  }

  /** One question, one commitment, then every answer's explanation. */
  function mountQuiz(section, { id, answers, right }) {
    const place = stage(section);
    const found = kept().quizzes[id] || {};
    const order = isOrder(found.order, answers.length)
      ? found.order
      : drawOrder(answers.length);
    if (order !== found.order) keep("quizzes", id, { order });
    const show = () => {
      const { said, at } = kept().quizzes[id] || {};
      if (Number.isInteger(said) && answers[said]) return reveal(said);
      let chosen = null;
      const options = Object.fromEntries(
        order.map((k) => [`a${k}`, rich(answers[k].text)]),
      );
      const control = choice(
        { label: "Your answer", options, stacked: true },
        (value) => {
          chosen = Number(value.slice(1));
          commit.disabled = false;
        },
      );
      const commit = button(
        "Commit",
        () => {
          keep("quizzes", id, { order, said: chosen, at: at || now() });
          place.querySelector(".nnp-said")?.focus();
        },
        { disabled: true },
      );
      place.replaceChildren(
        control.element,
        h("div", { class: "nnp-buttons" }, commit),
      );
    };
    const reveal = (said) => {
      const told = order.map((k) =>
        h(
          "li",
          { class: k === right ? "nnp-right" : "nnp-wrong" },
          h("strong", {}, k === right ? "✓ " : "✗ ", rich(answers[k].text)),
          k === said ? " (your answer) " : " ",
          rich(answers[k].explanation),
        ),
      );
      const again = button("Answer again", () => keep("quizzes", id, { order }));
      place.replaceChildren(
        h(
          "p",
          { class: "nnp-said", tabindex: -1 },
          said === right ? "That is right." : "That is not right.",
        ),
        h("ul", { class: "nnp-answers" }, ...told),
        again,
      );
    };
    show();
    onKept("quizzes", id, show);
  }

  // --- the end of a chapter -----------------------------------------------------------

  /** A chapter is finished when it is marked as read and its quiz is answered. */
  function mountEnd(section, { id, quizzes, course }) {
    const place = stage(section);
    const mark = (record) => () => {
      keep("chapters", id, record());
      place.querySelector("button").focus();
    };
    const show = () => {
      const all = kept();
      const read = Boolean(all.chapters[id]);
      const left = quizzes.filter((quiz) => !Number.isInteger(all.quizzes[quiz]?.said));
      const words = !read
        ? "Mark the chapter once you have read it. "
        : left.length
          ? `Read. Of its quiz, ${left.length} of ${quizzes.length} questions wait. `
          : "✓ You have finished this chapter. ";
      const press = read
        ? button(
            "Not read, after all",
            mark(() => null),
          )
        : button(
            "I have read it",
            mark(() => ({ read: now() })),
          );
      const link = h("a", { href: course }, "Your course");
      place.replaceChildren(
        h("p", { "aria-live": "polite" }, words),
        h("p", { class: "nnp-buttons" }, press, link),
      );
    };
    show();
    document.addEventListener("nnperf:kept", show);
  }

  // --- mounting ---------------------------------------------------------------------

  const KINDS = {
    lab: mountLab,
    predict: mountPrediction,
    answer: mountAnswer,
    quiz: mountQuiz,
    end: mountEnd,
  };

  /** Bring a section to life; what stood there for pages without a script goes. */
  function mount(section) {
    if (section.dataset.mounted) return;
    section.dataset.mounted = "true";
    const payload = JSON.parse(section.querySelector("script.nnp-data").textContent);
    KINDS[section.dataset.kind](section, payload);
  }

  Object.assign(nnperf, {
    /** Register a lab: `build(lab)` gets a Lab and adds to it. */
    lab(name, build) {
      labs[name] = build;
    },
    mount,
    mountAll: () => document.querySelectorAll(".nnperf-lab").forEach(mount),
    kit: {
      button,
      h,
      linspace,
      logspace,
      number,
      Plot,
      predictions: PREDICTIONS,
      quantile,
      rich,
      rows,
      store,
      still,
      table,
    },
  });
})();
