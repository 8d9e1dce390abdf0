// title: Cliff walk
// goal: start on the wall, where the loss is above 100, and come below 0.01 within 40 steps.
// takeaway: The gradient on the wall is right in its direction and absurd in its length: cutting the whole of it to a norm keeps the first and mends the second; cutting each entry turns it.
// uses: d3 nn
nnperf.lab("cliff", (lab) => {
  const { nn, kit } = nnperf;
  const [STEPS, TIMES] = [40, 11];
  const W = [0, 2];
  const U = [-0.2, 1.04];

  // one unit multiplies its state by w eleven times and puts out u times that; target 1
  const loss = ([w, u]) => (u * w ** TIMES - 1) ** 2;
  const gradient = ([w, u]) => {
    const pull = 2 * (u * w ** TIMES - 1);
    return [pull * u * TIMES * w ** (TIMES - 1), pull * w ** TIMES];
  };
  const CLIPS = {
    none: () => ({}),
    value: (c) => ({ clipvalue: c }),
    each: (c) => ({ clipnorm: c }),
    global: (c) => ({ global_clipnorm: c }),
  };

  const format = (value) => kit.number(value);
  const rates = kit.logspace(1e-5, 1, 51);
  lab.slider("rate", { label: "Learning rate η", values: rates, start: 0.01, format });
  const thresholds = kit.logspace(0.01, 1e4, 61);
  lab.slider("threshold", {
    label: "Threshold c",
    values: thresholds,
    start: 1,
    format,
  });
  const options = {
    none: "no clipping",
    value: "value",
    each: "norm of each weight",
    global: "global norm",
  };
  lab.choice("clip", { label: "Clip by", options });
  lab.point("start", [1.4, 0.8], W, U);
  lab.player("at", STEPS);
  const plot = lab.plot({ aspect: 0.62, interactive: true, margin: { left: 44 } });
  const held = (value, [low, high]) => Math.min(Math.max(value, low), high);
  plot.handle({
    label: "Start, w to the sides and u up and down",
    get: () => lab.state.start,
    set: (w, u) => lab.set({ start: [held(w, W), held(u, U)], at: 0 }),
    step: [0.02, 0.02],
    tell: (w, u) =>
      `w ${kit.number(w)}, u ${kit.number(u)}, loss ${kit.number(loss([w, u]))}`,
  });

  // the ground: squares, darker where the loss is higher
  const across = kit.linspace(...W, 49);
  const up = kit.linspace(...U, 32);
  const ground = across.slice(1).flatMap((right, i) =>
    up.slice(1).map((top, j) => {
      const middle = [(across[i] + right) / 2, (up[j] + top) / 2];
      const level = held((Math.log10(loss(middle) + 1e-9) + 3) / 7, [0, 1]);
      return [across[i], right, up[j], top, level];
    }),
  );

  /** Return the weights after each step, until they leave what a number can hold. */
  function walk({ rate, threshold, clip, start, at }) {
    const path = [start];
    const optimizer = nn.optimizer("sgd", {
      learning_rate: rate,
      ...CLIPS[clip](threshold),
    });
    while (path.length <= at && path[path.length - 1].every(Number.isFinite)) {
      const weights = path[path.length - 1].map((v) => Float64Array.of(v));
      optimizer.step(
        weights,
        gradient(path[path.length - 1]).map((v) => Float64Array.of(v)),
      );
      path.push(weights.map(([v]) => v));
    }
    return path;
  }

  const angle = (a, b) => {
    const lengths = Math.hypot(...a) * Math.hypot(...b);
    const cosine = (a[0] / lengths) * b[0] + (a[1] / lengths) * b[1];
    return (Math.acos(held(cosine, [-1, 1])) * 180) / Math.PI;
  };

  lab.draw(() => {
    const { state } = lab;
    const path = walk(state);
    const here = path[path.length - 1];
    plot.frame(
      { domain: W, label: "w, eleven times" },
      { domain: U, label: "u, once" },
    );
    plot.boxes("ground nnp-level", ground, { "fill-opacity": (box) => 0.35 * box[4] });
    const inside = ([w, u]) => w >= W[0] && w <= W[1] && u >= U[0] && u <= U[1];
    const clipTo = ([w, u]) => [held(w, [-9, 9]), held(u, [-9, 9])];
    const shown = path.filter((place) => place.every(Number.isFinite));
    plot.line("path nnp-c2", shown.map(clipTo)).attr("clip-path", plot.inside());
    plot.dots("steps nnp-c2", shown.filter(inside), 3);

    const raw = gradient(here);
    const arrays = raw.map((v) => Float64Array.of(v));
    const cut = nn.clipped(arrays, CLIPS[state.clip](state.threshold)).map(([v]) => v);
    const turned = angle(raw, cut);
    // arrows show directions: the raw one's length would leave the page
    const arrow = ([w, u]) => {
      const size = Math.hypot(w, u);
      return [...here, here[0] - (0.28 * w) / size, here[1] - (0.28 * u) / size];
    };
    const drawn = inside(here) && Math.hypot(...raw) > 0;
    plot.arrows("raw nnp-c1", drawn ? [arrow(raw)] : []);
    plot.arrows("cut nnp-c4", drawn && turned > 3 ? [arrow(cut)] : []);
    plot.words(
      "arrow-names nnp-c1",
      drawn
        ? [
            {
              x: arrow(raw)[2],
              y: arrow(raw)[3],
              dx: -6,
              dy: -8,
              anchor: "end",
              text: "raw",
            },
          ]
        : [],
    );
    const apart = drawn && turned > 3;
    plot.words(
      "cut-name nnp-c4",
      apart
        ? [
            {
              x: arrow(cut)[2],
              y: arrow(cut)[3],
              dx: -6,
              dy: 16,
              anchor: "end",
              text: "clipped",
            },
          ]
        : [],
    );
    const lost = !here.every(Number.isFinite) || !Number.isFinite(loss(here));
    const steps = path.length - 1;
    lab.reached(loss(state.start) > 100 && loss(here) < 0.01);
    if (lost)
      return `Step ${steps}: the weights are beyond all numbers. It has diverged.`;
    return (
      `Step ${steps}: w ${kit.number(here[0])}, u ${kit.number(here[1])}, ` +
      `loss ${kit.number(loss(here))} (at the start ${kit.number(loss(state.start))}). ` +
      `Gradient: norm ${kit.number(Math.hypot(...raw))} raw, ` +
      `${kit.number(Math.hypot(...cut))} clipped, turned by ${kit.number(turned)}°.` +
      (state.clip === "each"
        ? " Each weight is a variable of its own here, so its norm is its size: this is clipping by value."
        : "")
    );
  });
});
