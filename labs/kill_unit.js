// title: Kill a unit, and try to revive it
// goal: with all biases at zero, let the learning rate alone kill at least three of the eight units by step 60, and bring at least two of them back by step 300.
// takeaway: A dead ReLU unit of the first layer gets no gradient, so no learning rate moves it; a slope below zero moves it, slowly and not always back, and data for which it is on wake it.
// uses: d3 nn
nnperf.lab("kill_unit", (lab) => {
  const { kit, nn } = nnperf;
  const [UNITS, STEPS, RESCUE] = [8, 300, 60];
  const NEAR = kit.linspace(-2, 2, 21);
  const curve = (x) => Math.sin(2 * x) + 0.5 * x;
  const FAR = [-5, 5]; // far out, with the nearest point's value

  const rates = kit.logspace(0.003, 3, 31);
  lab.slider("rate", { label: "Learning rate", values: rates, start: 0.03 });
  const biases = kit.linspace(-3, 3, 25);
  lab.slider("bias", { label: "All biases at the start", values: biases, start: 0 });
  const scales = [0.1, 0.25, 0.5, 1, 2, 4];
  lab.slider("scale", {
    label: "Weights at the start, × He's",
    values: scales,
    start: 1,
  });
  const options = {
    nothing: "nothing",
    smaller: "a tenth of the rate",
    leaky: "that and leaky ReLU",
    far: "that and two points far out",
  };
  lab.choice("rescue", { label: "From step 60 on", options });
  lab.player("at", STEPS);
  lab.seed();
  const fit = lab.plot({ height: 230 });
  const lives = lab.plot({ height: 190, margin: { right: 64 } });

  const column = (values) => nn.matrix(values.length, 1, Float64Array.from(values));

  /** Train; return for each step the outputs, the loss, and which units are dead. */
  function train({ rate, bias, scale, rescue, seed }) {
    const layers = [{ units: UNITS, activation: "relu", start: "he_normal" }];
    const net = nn.network(1, [...layers, { units: 1 }], seed);
    net.weights[0] = net.weights[0].map((w) => scale * w);
    net.weights[1].fill(bias);
    const plain = nn.optimizer("sgd", { learning_rate: rate });
    const slower = nn.optimizer("sgd", { learning_rate: rate / 10 });
    const steps = [];
    for (let step = 0; step <= STEPS; step++) {
      const helped = step >= RESCUE ? rescue : "nothing";
      if (helped === "leaky") net.layers[0].activation = "leaky_relu";
      const points = helped === "far" ? [FAR[0], ...NEAR, FAR[1]] : NEAR;
      const y = points.map((x) => curve(Math.min(Math.max(x, -2), 2)));
      const found = nn.gradient(net, "mse", column(points), Float64Array.from(y));
      const { z } = found.passed[0];
      const off = kit
        .linspace(0, UNITS - 1, UNITS)
        .map((u) => points.every((_, r) => !(z.values[r * UNITS + u] > 0)));
      steps.push({ off, loss: found.loss, weights: net.weights.map((w) => w.slice()) });
      if (!Number.isFinite(found.loss) || found.loss > 1e9) break;
      (helped === "nothing" ? plain : slower).step(net.weights, found.gradients);
    }
    return { net, steps };
  }

  const count = (off) => off.filter(Boolean).length;

  lab.draw(() => {
    const { state } = lab;
    const { net, steps } = train(state);
    const at = Math.min(state.at, steps.length - 1);
    const here = steps[at];

    fit.frame({ domain: [-2.2, 2.2], label: "x" }, { domain: [-3, 3], label: "y" });
    net.weights = here.weights;
    const helped = state.rescue === "leaky" && at >= RESCUE;
    net.layers[0].activation = helped ? "leaky_relu" : "relu";
    const across = kit.linspace(-2.2, 2.2, 89);
    const out = nn.forward(net, column(across)).output.values;
    const held = (v) => Math.min(Math.max(v, -9), 9);
    fit.dots(
      "points nnp-c1",
      NEAR.map((x) => [x, curve(x)]),
    );
    fit
      .line(
        "fit nnp-c2",
        across.map((x, i) => [x, held(out[i])]),
      )
      .attr("clip-path", fit.inside());

    lives.frame(
      { domain: [0, STEPS], label: "step" },
      {
        domain: [UNITS + 0.6, 0.4],
        label: "unit",
        ticks: here.off.map((_, u) => u + 1),
      },
    );
    const rows = [];
    steps.slice(0, at + 1).forEach(({ off }, step) =>
      off.forEach((dead, u) => {
        if (dead) rows.push([step, step + 1, u + 0.65, u + 1.35]);
      }),
    );
    lives.boxes("dead nnp-bar nnp-c2", rows);
    lives.line("rescue nnp-muted nnp-thin", [
      [RESCUE, 0.4],
      [RESCUE, UNITS + 0.6],
    ]);
    lives.words(
      "states",
      here.off.map((dead, u) => ({
        x: STEPS,
        y: u + 1,
        dx: 8,
        dy: 4,
        text: dead ? "dead" : "on",
      })),
    );

    const dead = (step) => count(steps[Math.min(step, steps.length - 1)].off);
    const before = steps.length > RESCUE ? steps[RESCUE - 1].off : here.off;
    const back = before.filter((was, u) => was && !here.off[u]).length;
    const finite = steps.length === STEPS + 1;
    const untouched = Math.abs(state.bias) < 1e-9 && dead(0) === 0;
    lab.reached(
      finite && untouched && at === STEPS && dead(RESCUE - 1) >= 3 && back >= 2,
    );
    if (!finite && at === steps.length - 1)
      return `Step ${at}: the loss is beyond all numbers. It has diverged.`;
    return (
      `Step ${at}: loss ${kit.number(here.loss)}, ${count(here.off)} of ${UNITS} units ` +
      `are off for every point (at the start ${dead(0)}).` +
      (at > RESCUE
        ? ` Of the ${count(before)} that were off before step ${RESCUE}, ${back} are on again.`
        : "")
    );
  });
});
