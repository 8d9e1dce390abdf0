// title: Be one of twenty
// goal: network B is one point better; find how many runs leave you wrong less than one time in twenty, and check it by at least 100 comparisons.
// takeaway: You err by the formula: noise falls with the root of the runs, and more runs cannot mend a small test part.
// uses: d3 nn
// values: sd, accuracy
nnperf.lab("twenty", (lab) => {
  const { nn, kit } = nnperf;
  const { sd, accuracy } = lab.data; // measured: between runs, and on average
  const MOST = 1000;
  const points = (v) => `${kit.number(v)} point${v === 1 ? "" : "s"}`;
  const gaps = [0, 0.1, 0.2, 0.5, 1, 1.5, 2, 3, 5];
  lab.slider("gap", {
    label: "True difference",
    values: gaps,
    start: 1,
    format: points,
  });
  lab.slider("runs", {
    label: "Runs of each network",
    values: [1, 2, 3, 5, 10, 20, 30, 50, 100, 200],
    start: 1,
  });
  const rows = [100, 200, 500, 1000, 2000, 5000, 10000, 50000];
  lab.slider("rows", { label: "Rows to test on", values: rows, start: 1000 });
  lab.seed();
  const add = (n) => () => lab.set({ made: Math.min(MOST, lab.state.made + n) });
  lab.buttons({
    "Compare once": add(1),
    "Compare 100 times": add(100),
    "Forget them": () => lab.set({ made: 0 }),
  });
  lab.count("made", MOST);
  const plot = lab.plot({ height: 260 });

  /** Return the standard deviation of the difference that one comparison sees. */
  function noise({ runs, rows: n }) {
    // each mean has the runs' noise and that of its own test rows
    return Math.sqrt(2 * (sd ** 2 / runs + (accuracy * (1 - accuracy)) / n)) * 100;
  }

  /** Return the share of a normal distribution below z, not 0: GELU is z times that. */
  const below = (z) => nn.activate("gelu", nn.matrix(1, 1, [z])).values[0] / z;

  lab.draw(() => {
    const { gap, made, seed } = lab.state;
    const spread = noise(lab.state);
    const draw = nn.random(seed);
    const seen = Array.from({ length: made }, () => gap + spread * draw.normal());
    const wrong = seen.filter((difference) => difference < 0).length;
    const expected = gap ? below(-gap / spread) : 0.5;

    const most = gap + 4 * spread;
    const [low, bins] = [-most, 40];
    const width = (2 * most) / bins;
    const counts = Array(bins).fill(0);
    for (const difference of seen)
      counts[Math.min(bins - 1, Math.max(0, Math.floor((difference - low) / width)))] +=
        1;
    const density = (x) =>
      (made * width * Math.exp(-(((x - gap) / spread) ** 2) / 2)) /
      (spread * Math.sqrt(2 * Math.PI));
    const top = Math.max(5, ...counts, made ? density(gap) : 0);
    plot.frame(
      { domain: [low, most], label: "measured: B minus A, in points of accuracy" },
      { domain: [0, 1.2 * top], label: "comparisons" },
    );
    const bars = counts.map((n, i) => [low + i * width, low + (i + 1) * width, 0, n]);
    const filled = bars.filter((bar) => bar[3]);
    const isWrong = (bar) => bar[1] <= 1e-9;
    plot.boxes("wrong nnp-bar nnp-c2", filled.filter(isWrong));
    plot.boxes(
      "right nnp-bar nnp-c1",
      filled.filter((bar) => !isWrong(bar)),
    );
    const places = kit.linspace(low, most, 161);
    plot.line("law nnp-c3 nnp-thin", made ? places.map((x) => [x, density(x)]) : []);
    plot.segments("zero nnp-muted nnp-dashed", [[0, 0, 0, 1.2 * top]]);
    plot.words("sides", [
      { x: 0, y: 1.2 * top, dx: -8, dy: 12, anchor: "end", text: "A looks better" },
      { x: 0, y: 1.2 * top, dx: 8, dy: 12, text: "B looks better" },
    ]);
    lab.reached(gap === 1 && expected < 0.05 && made >= 100);
    const share = made ? kit.number((100 * wrong) / made) : "none yet";
    return (
      `By the formula ${kit.number(100 * expected)}% of verdicts are wrong. ` +
      `You: ${made} comparisons, ${wrong} wrong (${made ? `${share}%` : share}). ` +
      `One comparison scatters by ${kit.number(spread)} points; the runs of one network ` +
      `alone scatter by ${kit.number(100 * sd)}, as measured.`
    );
  });
});
