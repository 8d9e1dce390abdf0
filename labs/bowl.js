// title: Shape the bowl
// goal: move one value to 9,999, then find a scaler and a learning rate that need at most 5 steps.
// takeaway: The number of steps follows from κ, the steepest curvature over the flattest: z-scores make the bowl round, even where one far value squeezes all others together.
// uses: d3
nnperf.lab("bowl", (lab) => {
  const { kit } = nnperf;
  // insulin of twelve women, in µU/ml, and a score that rises with it
  const OTHERS = [42, 54, 60, 71, 78, 85, 94, 110, 126, 148, 176];
  const SCORES = [0.9, 1.4, 1.1, 1.6, 1.5, 2.1, 1.8, 2.4, 2.2, 2.9, 3.1, 1.9];
  const CLOSE = 1e-4; // of the loss above the lowest one at the start
  const MOST = 100000; // steps that are counted
  const SHOWN = 200; // steps that are drawn
  const ASPECT = 0.6;
  const mean = (values) => values.reduce((sum, v) => sum + v, 0) / values.length;
  const SCALERS = {
    none: (x) => x,
    minmax(x) {
      const [low, high] = [Math.min(...x), Math.max(...x)];
      return x.map((v) => (v - low) / (high - low));
    },
    zscore(x) {
      const middle = mean(x);
      const deviation = Math.sqrt(mean(x.map((v) => (v - middle) ** 2)));
      return x.map((v) => (v - middle) / deviation);
    },
    robust(x) {
      const [low, middle, high] = [0.25, 0.5, 0.75].map((q) => kit.quantile(x, q));
      return x.map((v) => (v - middle) / (high - low));
    },
  };

  const options = {
    none: "none",
    minmax: "min–max",
    zscore: "z-score",
    robust: "median and IQR",
  };
  lab.choice("scaler", { label: "Scaler", options });
  const rates = kit.logspace(1e-8, 1, 97);
  lab.slider("rate", { label: "Learning rate", values: rates, start: 1e-5 });
  lab.point("moved", [102, 0], [20, 9999], [0, 0]);
  const margin = { left: 20 };
  const strip = lab.plot({ height: 76, interactive: true, margin });
  const scaled = lab.plot({ height: 76, margin });
  const bowl = lab.plot({ aspect: ASPECT });
  strip.handle({
    label: "The value to move",
    get: () => lab.state.moved,
    set: (x) => lab.set({ moved: [Math.round(Math.min(Math.max(x, 20), 9999)), 0] }),
    step: [1.2, 0],
    tell: (x) => `${kit.number(x)} µU/ml`,
  });

  /** Return the squared loss over slope and bias: its curvatures, axes and minimum. */
  function shape(x) {
    const [xx, xMean] = [mean(x.map((v) => v * v)), mean(x)];
    const [a, b, c] = [2 * xx, 2 * xMean, 2];
    const root = Math.hypot((a - c) / 2, b);
    const large = (a + c) / 2 + root;
    const small = (a * c - b * b) / large; // without cancellation
    const turn = Math.atan2(2 * b, a - c) / 2;
    const xy = 2 * mean(x.map((v, i) => v * SCORES[i]));
    const y = 2 * mean(SCORES);
    const determinant = a * c - b * b;
    return {
      large,
      small,
      turn,
      lowest: [(c * xy - b * y) / determinant, (a * y - b * xy) / determinant],
    };
  }

  /** Return a place's parts along the two axes, seen from the minimum. */
  function along({ turn, lowest }, [w, b]) {
    const [dw, db] = [w - lowest[0], b - lowest[1]];
    return [
      dw * Math.cos(turn) + db * Math.sin(turn),
      db * Math.cos(turn) - dw * Math.sin(turn),
    ];
  }

  function back({ turn, lowest }, [p, q]) {
    return [
      lowest[0] + p * Math.cos(turn) - q * Math.sin(turn),
      lowest[1] + p * Math.sin(turn) + q * Math.cos(turn),
    ];
  }

  /** Walk down from zero weights: the path's beginning, and the steps that it took. */
  function descend(of, rate) {
    const above = ([p, q]) => of.large * p * p + of.small * q * q;
    let here = along(of, [0, 0]);
    const start = above(here);
    const path = [back(of, here)];
    let steps = 0;
    while (above(here) > CLOSE * start && above(here) < 1e6 * start && steps < MOST) {
      here = [here[0] * (1 - rate * of.large), here[1] * (1 - rate * of.small)];
      steps += 1;
      if (steps <= SHOWN) path.push(back(of, here));
    }
    return { path, steps, arrived: above(here) <= CLOSE * start, start };
  }

  lab.draw(() => {
    const { scaler, rate, moved } = lab.state;
    const raw = [...OTHERS, moved[0]];
    const x = SCALERS[scaler](raw);
    const of = shape(x);
    const { path, steps, arrived, start } = descend(of, rate);

    const line = { domain: [-1, 1], ticks: [], label: "" };
    strip.frame({ domain: [15, 15000], log: true, label: "insulin, µU/ml" }, line);
    strip.dots(
      "values nnp-c1",
      OTHERS.map((v) => [v, 0]),
    );
    const ends = [Math.min(...x), Math.max(...x)];
    const beyond = (ends[1] - ends[0]) / 20;
    const domain = [ends[0] - beyond, ends[1] + beyond];
    scaled.frame(
      { domain, label: `as the network sees it (${options[scaler]})` },
      line,
    );
    scaled.dots(
      "values nnp-c1",
      x.slice(0, -1).map((v) => [v, 0]),
    );
    scaled.dots("moved nnp-c2", [[x[x.length - 1], 0]], 6);

    // the ring of all weights with the loss of the start
    const radii = [Math.sqrt(start / of.large), Math.sqrt(start / of.small)];
    const ring = kit.linspace(0, 2 * Math.PI, 181);
    const at = (size) =>
      ring.map((t) =>
        back(of, [size * radii[0] * Math.cos(t), size * radii[1] * Math.sin(t)]),
      );
    const reach = at(1.1).map(([w, b]) => [
      Math.abs(w - of.lowest[0]),
      Math.abs(b - of.lowest[1]) / ASPECT,
    ]);
    const half = Math.max(...reach.flat());
    const around = (center, size) => [center - size, center + size];
    bowl.frame(
      { domain: around(of.lowest[0], half), label: "slope" },
      { domain: around(of.lowest[1], half * ASPECT), label: "bias" },
    );
    const rings = [1, 0.75, 0.5, 0.25];
    rings.forEach((size) =>
      bowl.line(`ring${100 * size} nnp-muted nnp-thin`, at(size)),
    );
    const most = 50 * half;
    const sound = path.filter((p) => p.every((v) => Math.abs(v) < most));
    bowl.line("path nnp-c2", sound).attr("clip-path", bowl.inside());
    bowl.dots("steps nnp-c2", sound, 2.5).attr("clip-path", bowl.inside());
    bowl.dots("goal nnp-good", [of.lowest], 5);

    const kappa = of.large / of.small;
    const factor = Math.max(
      Math.abs(1 - rate * of.large),
      Math.abs(1 - rate * of.small),
    );
    const predicted = Math.max(1, Math.ceil(Math.log(CLOSE) / (2 * Math.log(factor))));
    const best = 2 / (of.large + of.small);
    lab.reached(moved[0] === 9999 && arrived && steps <= 5);
    return (
      `κ ${kit.number(kappa)}; the best learning rate is ${kit.number(best)}, yours ` +
      `${kit.number(rate)}. ` +
      (factor >= 1
        ? "Each step leads further away: it diverges."
        : `Predicted at most ${kit.number(predicted)} steps, counted ` +
          `${arrived ? kit.number(steps) : `more than ${kit.number(MOST)}`}.`)
    );
  });
});
