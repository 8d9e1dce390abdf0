// title: Draw the gradient line
// goal: draw your guess, look at what was measured, then find weights for 20 layers without skip connections that leave layer 2 between half and twice the gradient of layer 20.
// takeaway: Each layer multiplies the gradient by the same factor, so depth is its exponent: only a factor near 1 gives the first layers of a deep network a gradient like the last ones'.
// uses: d3 nn
// data: variant, activation, gain, depth, skip, layer, seed, value
nnperf.lab("gradient_line", (lab) => {
  const { nn, kit } = nnperf;
  const UNITS = 32;
  const DRAWN = 6; // the layers of the reader's drawing
  const recorded = kit.rows(lab.data);
  const NAMES = { sigmoid: "sigmoid", tanh: "tanh", relu: "ReLU" };
  const steps = kit.linspace(-6, 5, 23).map((k) => 2 ** k);
  const gains = [...new Set([...steps, ...recorded.map((row) => row.gain)])];
  gains.sort((a, b) => a - b);

  // the guess is kept in powers of ten, layer by layer
  lab.declare(
    "guess",
    Array(DRAWN).fill(0),
    (text) => {
      const found = text.split(" ").map(Number);
      const sound = (e) => e >= -6 && e <= 2;
      return found.length === DRAWN && found.every(sound) ? found : undefined;
    },
    undefined,
    (guess) => guess.map((e) => e.toFixed(1)).join(" "),
  );
  const [reveal, again] = lab.buttons({
    "Show what was measured": () => lab.set({ shown: 1 }),
    "Draw again": () => lab.set({ shown: 0 }),
  });
  const knobs = lab.add(kit.h("div", { class: "nnp-controls" }));
  lab.declare("shown", 0, (text) => (text === "1" ? 1 : undefined));
  lab.choice("activation", { label: "Activation", options: NAMES }, knobs);
  const format = (gain) => kit.number(gain);
  lab.slider(
    "gain",
    { label: "Weights, n × variance", values: gains, start: 1, format },
    knobs,
  );
  const depths = kit.linspace(2, 20, 19);
  lab.slider("depth", { label: "Hidden layers", values: depths, start: 6 }, knobs);
  lab.toggle("skip", { label: "Skip connections" }, knobs);
  lab.seed(knobs);
  const plot = lab.plot({ height: 300, interactive: true });
  plot.sketch({
    xs: kit.linspace(1, DRAWN, DRAWN),
    names: kit.linspace(1, DRAWN, DRAWN).map((l) => `Your guess for layer ${l}`),
    get: (i) => 10 ** lab.state.guess[i],
    set: (i, y) => lab.set({ guess: lab.state.guess.with(i, Math.log10(y)) }),
    step: 10 ** 0.2,
  });
  const table = lab.add(kit.h("p", { class: "nnp-caption" }));

  /** Return each layer's gradient norm and what a layer does to sizes, for one seed. */
  function measure({ activation, gain, depth, skip }, seed) {
    const layer = (l) => ({
      units: UNITS,
      activation,
      start: { gain },
      skip: skip && l > 0,
    });
    const hidden = Array.from({ length: depth }, (_, l) => layer(l));
    const net = nn.network(
      UNITS,
      [...hidden, { units: 10, activation: "softmax" }],
      seed,
    );
    const draw = nn.random(seed + 1000000);
    const x = nn.normals(64, UNITS, draw);
    const y = Array.from({ length: x.rows }, () => draw.integer(10));
    const seen = nn.gradient(net, "sparse_categorical_crossentropy", x, y);
    const norms = hidden.map((_, l) => nn.norm(seen.gradients[2 * l]));
    // from the second hidden layer's input to the last one's output
    const per = (ratio) => ratio ** (1 / (depth - 1));
    const size = (l) => nn.rms(seen.passed[l].x.values);
    return {
      shares: norms.map((norm) => norm / norms[depth - 1]),
      back: per(nn.rms(seen.at[0].values) / nn.rms(seen.at[depth - 1].values)),
      forward: per(size(depth) / size(1)),
    };
  }

  /** Return the median network of five. */
  function live(state) {
    const five = [0, 1, 2, 3, 4].map((k) => measure(state, 10 * state.seed + k));
    const median = (pick) => kit.quantile(five.map(pick), 0.5);
    return {
      shares: five[0].shares.map((_, l) => median((one) => one.shares[l])),
      back: median((one) => one.back),
      forward: median((one) => one.forward),
    };
  }

  /** Return [layer, 5%, median, 95%] of the recorded seeds, each against its last layer. */
  function band(rows) {
    const last = Math.max(...rows.map((row) => row.layer));
    const end = Object.fromEntries(
      rows.filter((row) => row.layer === last).map((row) => [row.seed, row.value]),
    );
    const layers = [...new Set(rows.map((row) => row.layer))].sort((a, b) => a - b);
    return layers.map((layer) => {
      const own = rows.filter((row) => row.layer === layer);
      const shares = own.map((row) => row.value / end[row.seed]);
      return [layer, ...[0.05, 0.5, 0.95].map((q) => kit.quantile(shares, q))];
    });
  }

  const matches = (state) => (row) =>
    row.activation === state.activation &&
    Math.abs(Math.log(row.gain / state.gain)) < 0.01 &&
    row.depth === state.depth &&
    Boolean(row.skip) === state.skip;

  lab.draw(() => {
    const { state } = lab;
    const guess = state.guess.map((e, i) => [i + 1, 10 ** e]);
    reveal.hidden = Boolean(state.shown);
    again.hidden = !state.shown;
    knobs.hidden = !state.shown;
    table.hidden = true;
    plot.surface.attr("display", state.shown ? "none" : null);
    if (!state.shown) {
      plot.frame(
        {
          domain: [0.8, DRAWN + 0.2],
          label: "hidden layer",
          ticks: [1, 2, 3, 4, 5, 6],
        },
        { domain: [1e-6, 1e2], log: true, label: "gradient norm, relative to layer 6" },
      );
      plot.line("guess nnp-c2 nnp-dashed", guess);
      return (
        "Six sigmoid layers of 32 units before training: how large is each layer's " +
        "gradient, against that of layer 6? Drag the points, or move them with the arrow keys."
      );
    }
    const { shares, back, forward } = live(state);
    const asked = // what the drawing was about
      state.activation === "sigmoid" &&
      state.gain === 1 &&
      state.depth === DRAWN &&
      !state.skip;
    const drawn = asked ? guess : [];
    const points = shares.map((share, l) => [l + 1, share]);
    const rows = recorded.filter(matches(state));
    const measured = rows.length ? band(rows) : [];
    const guessed = drawn.map((place) => place[1]);
    const powers = [...shares, ...measured.flatMap((m) => [m[1], m[3]]), ...guessed]
      .map(Math.log10)
      .filter(Number.isFinite);
    const low = Math.min(-4, Math.floor(Math.min(...powers)));
    const high = Math.max(1, Math.ceil(Math.max(...powers)));
    const every = state.depth > 12 ? 2 : 1;
    plot.frame(
      {
        domain: [0.8, state.depth + 0.2],
        label: "hidden layer",
        ticks: points.map(([l]) => l).filter((l) => l % every === 0),
      },
      {
        domain: [10 ** low, 10 ** high],
        log: true,
        label: `gradient norm, relative to layer ${state.depth}`,
      },
    );
    plot.band(
      "band nnp-c1",
      measured.map(([l, a, , b]) => [l, a, b]),
    );
    plot.line(
      "median nnp-c1",
      measured.map(([l, , m]) => [l, m]),
    );
    plot.line("guess nnp-c2 nnp-dashed", drawn);
    plot.dots("live nnp-c3", points);
    plot.words("live-name nnp-c3", [
      { x: 1, y: points[0][1], dx: 8, dy: 18, text: "live" },
    ]);
    const middle = Math.ceil(state.depth / 2) - 1;
    const name = (place, text) => ({ x: place[0], y: place[1], text });
    plot.words(
      "guess-name nnp-c2",
      drawn
        .slice(middle, middle + 1)
        .map((g) => ({ ...name(g, "you"), dx: 6, dy: 18 })),
    );
    plot.words(
      "median-name nnp-c1",
      measured.slice(middle, middle + 1).map(([l, , m]) => ({
        ...name([l, m], "recorded"),
        dx: -6,
        dy: -12,
        anchor: "end",
      })),
    );
    const quotient = back / forward;
    const toSecond = quotient ** (state.depth - 2);
    table.hidden = Number.isNaN(quotient);
    table.textContent =
      `Per layer, live: back ${kit.number(back)}, forward ${kit.number(forward)}, ` +
      `back / forward ${kit.number(quotient)}; to the power of ${state.depth - 2}, down to ` +
      `layer 2, that makes ${kit.number(toSecond)}.`;
    const share = shares[1];
    lab.reached(state.depth === 20 && !state.skip && share >= 0.5 && share <= 2);
    const first = measured.find(([layer]) => layer === 2);
    const told = first
      ? `Recorded over ${new Set(rows.map((row) => row.seed)).size} seeds (${rows[0].variant}): ` +
        `layer 2 gets ${kit.number(first[2])} of layer ${state.depth}'s gradient, ` +
        `the middle 90% of seeds between ${kit.number(first[1])} and ${kit.number(first[3])}. `
      : "Not recorded with these settings. ";
    return (
      told +
      "Live (median of five random networks on random data): " +
      (Number.isNaN(share)
        ? "no gradient arrives. "
        : `layer 2 gets ${kit.number(share)}. `) +
      (asked ? `You drew ${kit.number(guess[1][1])}.` : "")
    );
  });
});
