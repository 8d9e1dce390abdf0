// title: The race
// goal: race all four at one rate and note the order; then give each its own rate, so that all come below a loss of 0.001 in 60 steps.
// takeaway: At one rate the order tells whose good rate is near; at a good rate of its own each of the four gets there, and for each the good rates are few.
// uses: d3 nn
nnperf.lab("race", (lab) => {
  const { nn, kit } = nnperf;
  const [STEPS, TARGET] = [60, 0.001];
  const [W, U] = [
    [-2.2, 2.2],
    [-0.9, 1.9],
  ];
  const RACERS = {
    sgd: { name: "SGD", kind: "sgd", color: "nnp-c1" },
    momentum: {
      name: "momentum",
      kind: "sgd",
      options: { momentum: 0.9 },
      color: "nnp-c2",
    },
    rmsprop: { name: "RMSprop", kind: "rmsprop", color: "nnp-c3" },
    adam: { name: "Adam", kind: "adam", color: "nnp-c4" },
  };

  // a valley, 33 times as steep across as along, that lies askew to the two weights
  const turn = (35 * Math.PI) / 180;
  const [c, s] = [Math.cos(turn), Math.sin(turn)];
  const CURVES = [
    [c * c + 0.03 * s * s, 0.97 * c * s],
    [0.97 * c * s, s * s + 0.03 * c * c],
  ];
  const START = [0.5 * c - 1.6 * s, 0.5 * s + 1.6 * c];
  const gradient = ([w, u]) => CURVES.map(([a, b]) => a * w + b * u);
  const loss = (place) => {
    const slope = gradient(place);
    return (place[0] * slope[0] + place[1] * slope[1]) / 2;
  };

  const rates = kit.logspace(0.001, 10, 41);
  const settings = { values: rates, start: 0.01, format: kit.number };
  lab.slider("rate", { label: "One rate for all", ...settings });
  lab.toggle("own", { label: "each at its own rate" });
  for (const [key, { name }] of Object.entries(RACERS))
    lab.slider(key, { label: `Rate of ${name}`, ...settings });
  const ground = lab.plot({ aspect: 0.64, margin: { left: 44 } });
  const curves = lab.plot({ height: 220, margin: { left: 68, right: 84 } });

  const held = (value, [low, high]) => Math.min(Math.max(value, low), high);
  const across = kit.linspace(...W, 49);
  const up = kit.linspace(...U, 32);
  const levels = across.slice(1).flatMap((right, i) =>
    up.slice(1).map((top, j) => {
      const middle = [(across[i] + right) / 2, (up[j] + top) / 2];
      const level = held((Math.log10(loss(middle) + 1e-9) + 4) / 5, [0, 1]);
      return [across[i], right, up[j], top, level];
    }),
  );

  /** Return the places of an optimizer after each step. */
  function run({ kind, options }, rate) {
    const optimizer = nn.optimizer(kind, { ...options, learning_rate: rate });
    const weights = [Float64Array.from(START)];
    const path = [[...START]];
    for (let step = 0; step < STEPS; step++) {
      optimizer.step(weights, [Float64Array.from(gradient(weights[0]))]);
      path.push([...weights[0]]);
    }
    return path;
  }

  lab.draw(() => {
    const { state } = lab;
    const racers = Object.entries(RACERS).map(([key, racer]) => {
      const rate = state.own ? state[key] : state.rate;
      const path = run(racer, rate);
      const end = loss(path[STEPS]);
      return { ...racer, key, rate, path, end: Number.isFinite(end) ? end : Infinity };
    });
    ground.frame({ domain: W, label: "one weight" }, { domain: U, label: "the other" });
    ground.boxes("ground nnp-level", levels, {
      "fill-opacity": (box) => 0.35 * box[4],
    });
    const [low, high] = [1e-6, 10];
    const marks = [1e-6, 1e-4, 1e-2, 1];
    curves.frame(
      { domain: [0, STEPS], label: "step" },
      { domain: [low, high], label: "loss", log: true, ticks: marks },
    );
    curves.line("target nnp-muted", [
      [0, TARGET],
      [STEPS, TARGET],
    ]);
    curves.words("goal nnp-muted", [
      { x: 1, y: TARGET, dy: 14, text: "the goal", anchor: "start" },
    ]);
    for (const { key, color, path } of racers) {
      const far = (value) => held(value, [-9, 9]);
      const shown = path.filter((place) => place.every(Number.isFinite));
      ground
        .line(
          `path-${key} ${color}`,
          shown.map((place) => place.map(far)),
        )
        .attr("clip-path", ground.inside());
      curves.line(
        `loss-${key} ${color}`,
        shown.map((place, step) => [step, held(loss(place), [low, high])]),
      );
    }
    ground.dots("start nnp-muted", [START, [0, 0]], 4);

    // names beside the ends of the lines, pushed apart
    const order = [...racers].sort((a, b) => a.end - b.end);
    const span = Math.log10(high / low);
    const places = [];
    order.forEach(({ end }, i) => {
      const wanted = Math.log10(held(end, [low, high]) / low) / span;
      const least = i ? places[i - 1] + 0.09 : 0.02;
      places.push(Math.max(wanted, least));
    });
    for (let i = places.length - 1, most = 0.98; i >= 0; i--, most -= 0.09)
      places[i] = Math.min(places[i], most);
    order.forEach(({ key, name, color }, i) =>
      curves.words(`name-${key} ${color}`, [
        { x: STEPS, y: low * 10 ** (places[i] * span), dx: 6, dy: 4, text: name },
      ]),
    );

    const all = racers.every(({ end }) => end < TARGET);
    lab.reached(state.own && all);
    const told = ({ name, rate, end }) =>
      (Number.isFinite(end) && end < 1e6
        ? `${name} ${kit.number(end)}`
        : `${name} has diverged`) +
      (state.own ? ` (rate ${kit.number(rate)})` : "");
    return (
      `Loss after ${STEPS} steps, from ${kit.number(loss(START))}: ` +
      `${order.map(told).join(", ")}. ` +
      (state.own
        ? "Each has its own rate."
        : `All have the rate ${kit.number(state.rate)}.`)
    );
  });
});
