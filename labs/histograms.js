// title: Ten histograms
// goal: with ReLU, bring the factor per layer between 0.95 and 1.05, forward and backward.
// takeaway: The right scale follows from the layer alone: with n inputs and ReLU it is √(2/n), whatever the data are, and both directions agree since inputs and units are as many.
// uses: d3 nn
nnperf.lab("histograms", (lab) => {
  const { nn, kit } = nnperf;
  const [LAYERS, UNITS, EXAMPLES] = [10, 64, 128];
  const [LOW, HIGH, BINS] = [-3, 3, 48];

  const options = { relu: "ReLU", tanh: "tanh", sigmoid: "sigmoid", linear: "linear" };
  lab.choice("activation", { label: "Activation", options });
  const values = kit.logspace(0.01, 1, 121);
  const format = (scale) => kit.number(scale);
  lab.slider("scale", {
    label: "Standard deviation of the weights",
    values,
    start: 0.05,
    format,
  });
  lab.toggle("constant", { label: "All weights the same" });
  lab.seed();
  const plot = lab.plot({ height: 400, margin: { right: 118, top: 34 } });

  /** Send random numbers through random layers, and a random gradient back. */
  function send({ activation, scale, constant, seed }) {
    const start = constant ? { constant: scale } : { normal: scale };
    const layers = Array.from({ length: LAYERS }, () => ({
      units: UNITS,
      activation,
      start,
    }));
    const net = nn.network(UNITS, layers, seed);
    const draw = nn.random(seed + 1000000);
    const pass = nn.forward(net, nn.normals(EXAMPLES, UNITS, draw));
    const last = nn.normals(EXAMPLES, UNITS, draw);
    const back = nn.backward(net, pass, last);
    const into = pass.passed.map(({ x }) => x.values);
    const sizes = [...into.slice(1), pass.output.values].map(nn.rms);
    const per = (ratio) => ratio ** (1 / LAYERS);
    return {
      outputs: pass.passed.map(({ a }) => a),
      sizes,
      forward: per(sizes[LAYERS - 1] / nn.rms(into[0])),
      backward: per(nn.rms(back.input.values) / nn.rms(last.values)),
    };
  }

  /** Return how many units of a layer put out different numbers. */
  function different({ rows, columns, values }) {
    const column = (c) =>
      Array.from({ length: rows }, (_, r) => values[r * columns + c]);
    const written = (c) =>
      column(c)
        .map((v) => v.toPrecision(9))
        .join();
    return new Set(Array.from({ length: columns }, (_, c) => written(c))).size;
  }

  /** Return a layer's histogram; what is beyond the axis counts at its end. */
  function bars({ values }, row) {
    const counts = new Float64Array(BINS);
    const width = (HIGH - LOW) / BINS;
    for (const value of values) {
      const bin = Math.floor((value - LOW) / width);
      if (!Number.isNaN(bin)) counts[Math.min(BINS - 1, Math.max(0, bin))] += 1;
    }
    // ReLU's many zeros would hide all else: their bar is cut at the row's height
    const zero = Math.floor(-LOW / width);
    const most = Math.max(...counts.filter((_, b) => b !== zero), 0.03 * values.length);
    return [...counts]
      .map((count, b) => [
        LOW + b * width,
        LOW + (b + 1) * width,
        row,
        row - 0.9 * Math.min(1, count / most),
      ])
      .filter((bar) => bar[3] < row);
  }

  lab.draw(() => {
    const { outputs, sizes, forward, backward } = send(lab.state);
    const units = different(outputs[0]);
    plot.frame(
      { domain: [LOW, HIGH], label: "output of a unit" },
      {
        domain: [LAYERS + 0.6, 0],
        label: "layer",
        ticks: sizes.map((_, l) => l + 1),
      },
    );
    plot.boxes(
      "bars nnp-bar nnp-c1",
      outputs.flatMap((output, l) => bars(output, l + 1)),
    );
    const at = (text, l) => ({ x: HIGH, y: l, dx: 12, dy: -2, text });
    plot.words("sizes", [
      at("size (RMS)", 0),
      ...sizes.map((size, l) => at(kit.number(size), l + 1)),
    ]);
    const good = (factor) => factor >= 0.95 && factor <= 1.05;
    const { activation, constant } = lab.state;
    lab.reached(activation === "relu" && !constant && good(forward) && good(backward));
    return (
      `Factor per layer: forward ${kit.number(forward)}, backward ${kit.number(backward)}. ` +
      `${UNITS} units in each layer, of which ${units} ` +
      `${units === 1 ? "computes" : "compute"} something of ${units === 1 ? "its" : "their"} own.`
    );
  });
});
