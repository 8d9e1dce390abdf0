// title: Draw a schedule
// goal: draw a learning rate with which the network ends at a lower loss than with each of the other three.
// takeaway: High while there is far to go, low where noise is all that is left: what the shape is called matters less than that it ends low, and a peak that is too high loses more than any shape wins.
// uses: d3 nn
nnperf.lab("draw_schedule", (lab) => {
  const { nn, kit } = nnperf;
  const [UPDATES, PIECES, BATCH, EXAMPLES, STARTS] = [240, 12, 8, 96, 3];
  const LENGTH = UPDATES / PIECES;
  const [LOW, HIGH] = [1e-3, 1];
  const RISE = 48;
  const half = (share) => 0.5 + 0.5 * Math.cos(Math.PI * share);
  // each at the peak that was best over 30 starts, of those a factor of two apart
  const SHAPES = {
    constant: () => 0.01,
    cosine: (t) => 0.08 * half(t / UPDATES),
    "one-cycle": (t) =>
      0.02 * (t < RISE ? (t + 1) / RISE : half((t - RISE) / (UPDATES - RISE))),
  };
  const COLORS = { constant: "nnp-c1", cosine: "nnp-c3", "one-cycle": "nnp-c4" };

  // the drawing is kept in powers of ten, piece by piece
  lab.declare(
    "drawn",
    Array(PIECES).fill(-2.5),
    (text) => {
      const found = text.split(" ").map(Number);
      const sound = (e) => e >= -4 && e <= 1;
      return found.length === PIECES && found.every(sound) ? found : undefined;
    },
    undefined,
    (drawn) => drawn.map((e) => e.toFixed(2)).join(" "),
  );
  const copy = (name) => () =>
    lab.set({ times: 1, drawn: middles.map((t) => Math.log10(held(SHAPES[name](t)))) });
  const inside = (e) => Math.min(Math.max(e, -4), 1);
  const held = (rate) => Math.min(Math.max(rate, LOW), HIGH);
  const middles = Array.from({ length: PIECES }, (_, i) => (i + 0.5) * LENGTH);
  lab.buttons({
    "Begin with constant": copy("constant"),
    "Begin with cosine": copy("cosine"),
    "Begin with one-cycle": copy("one-cycle"),
  });
  const times = kit.logspace(0.1, 10, 21);
  lab.slider("times", { label: "All of yours, times", values: times, start: 1 });
  lab.seed();
  const sketch = lab.plot({ height: 240, interactive: true });
  const curves = lab.plot({ height: 220 });
  sketch.sketch({
    xs: middles,
    names: middles.map((_, i) => `Your rate in piece ${i + 1} of ${PIECES}`),
    get: (i) => held(lab.state.times * 10 ** lab.state.drawn[i]),
    set: (i, y) =>
      lab.set({ drawn: lab.state.drawn.with(i, inside(Math.log10(y / lab.state.times))) }),
    step: 10 ** 0.1,
  });

  /** Return places of a wave with noise, and its heights. */
  function problem(seed) {
    const draw = nn.random(seed + 1000);
    const x = nn.matrix(EXAMPLES, 1);
    const y = x.values.map((_, i) => {
      x.values[i] = (4 * (i + 0.5)) / EXAMPLES - 2;
      return Math.sin(2 * x.values[i]) + 0.3 * draw.normal();
    });
    return { x, y };
  }

  /** Train one network; return [update, loss on all examples], every 20 updates. */
  function train(rate, seed) {
    const { x, y } = problem(seed);
    const layer = { units: 16, activation: "tanh" };
    const net = nn.network(1, [layer, layer, { units: 1 }], seed);
    const optimizer = nn.optimizer("sgd", { momentum: 0.9 });
    const draw = nn.random(seed + 2000);
    const loss = () => nn.loss("mse", nn.forward(net, x).output, y).value;
    const seen = [[0, loss()]];
    for (let t = 0; t < UPDATES; t++) {
      const batch = Array.from({ length: BATCH }, () => draw.integer(EXAMPLES));
      const some = nn.matrix(
        BATCH,
        1,
        Float64Array.from(batch, (k) => x.values[k]),
      );
      const labels = batch.map((k) => y[k]);
      optimizer.settings.learning_rate = rate(t);
      optimizer.step(net.weights, nn.gradient(net, "mse", some, labels).gradients);
      if ((t + 1) % LENGTH === 0) seen.push([t + 1, loss()]);
    }
    return seen;
  }

  /** Return the mean curve of three starts. */
  function mean(rate, seed) {
    const runs = Array.from({ length: STARTS }, (_, k) =>
      train(rate, STARTS * seed + k),
    );
    return runs[0].map(([t], i) => [
      t,
      runs.reduce((sum, run) => sum + run[i][1], 0) / STARTS,
    ]);
  }

  const known = {};
  const others = (seed) =>
    (known[seed] ??= Object.fromEntries(
      Object.entries(SHAPES).map(([name, rate]) => [name, mean(rate, seed)]),
    ));
  const end = (curve) => curve[curve.length - 1][1];
  const MOST = 3; // of the loss, that is drawn

  lab.draw(() => {
    const { drawn, seed, times } = lab.state;
    const yours = (t) => held(times * 10 ** drawn[Math.floor(t / LENGTH)]);
    const own = mean(yours, seed);
    const known = others(seed);
    const updates = Array.from({ length: UPDATES }, (_, t) => t);
    sketch.frame(
      { domain: [-6, UPDATES + 6], label: "update" },
      { domain: [LOW, HIGH], log: true, label: "learning rate" },
    );
    for (const [name, rate] of Object.entries(SHAPES))
      sketch.line(
        `${name} ${COLORS[name]}`,
        updates.filter((t) => rate(t) >= LOW).map((t) => [t, rate(t)]),
      );
    sketch.line(
      "yours nnp-c2",
      updates.map((t) => [t, yours(t)]),
    );
    curves.frame(
      { domain: [-6, UPDATES + 6], label: "update" },
      { domain: [0.05, MOST], log: true, label: "loss, mean of three starts" },
    );
    const shown = (curve) => curve.filter(([, value]) => value <= MOST);
    for (const [name, curve] of Object.entries(known))
      curves.line(`${name} ${COLORS[name]}`, shown(curve));
    curves.line("yours nnp-c2", shown(own));
    curves.dots("own nnp-c2", shown(own), 3);
    const names = [
      { class: "nnp-c1", x: 4, y: 0.01, dy: -5, text: "constant" },
      { class: "nnp-c3", x: 4, y: 0.08, dy: -6, text: "cosine" },
      { class: "nnp-c4", x: RISE, y: 0.02, dy: -6, text: "one-cycle" },
    ];
    for (const { class: color, ...word } of names)
      sketch.words(`name-${word.text} ${color}`, [word]);
    const place = { x: UPDATES, y: yours(UPDATES - 1), dx: 4, dy: -10, anchor: "end" };
    sketch.words("name-yours nnp-c2", [{ ...place, text: "yours" }]);
    const best = Math.min(...Object.values(known).map(end));
    // a shape that was taken as it came is not the reader's own
    const copied =
      times === 1 &&
      Object.values(SHAPES).some((rate) =>
        drawn.every((e, i) => Math.abs(e - Math.log10(held(rate(middles[i])))) < 0.006),
      );
    lab.reached(!copied && end(own) < best);
    const told = Object.entries(known).map(
      ([name, curve]) => `${name} ${kit.number(end(curve))}`,
    );
    const lost = !Number.isFinite(end(own)) || end(own) > MOST;
    return (
      `Loss after ${UPDATES} updates: ${told.join(", ")}; yours ` +
      (lost ? "beyond the picture: it has diverged." : `${kit.number(end(own))}.`) +
      " Draw with the finger or the mouse, or move the points with the arrow keys."
    );
  });
});
