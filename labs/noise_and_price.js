// title: Noise and price
// goal: find the batch size and the learning rate that are soonest at the target, in seconds.
// takeaway: Up to a knee a larger batch needs fewer updates, beyond it each update is only more work; where the seconds are least is up to what an update costs, and so to the machine.
// uses: d3
// data: batch, rate, noise, epochs, updates, seconds
nnperf.lab("noise_and_price", (lab) => {
  const { kit } = nnperf;
  const rows = kit.rows(lab.data); // zero where the target was not reached
  const sizes = [...new Set(rows.map((row) => row.batch))].sort((a, b) => a - b);
  const rates = [...new Set(rows.map((row) => row.rate))].sort((a, b) => a - b);
  const middle = rates[Math.floor(rates.length / 2)];
  lab.slider("batch", { label: "Batch size", values: sizes, start: sizes[0] });
  lab.slider("rate", { label: "Learning rate", values: rates, start: middle });
  lab.choice("axis", {
    label: "To the target, in",
    options: { updates: "updates", epochs: "epochs", seconds: "seconds" },
  });
  const plot = lab.plot({ height: 250 });
  const noise = lab.plot({ height: 170 });
  const here = (row) => row.batch === lab.state.batch && row.rate === lab.state.rate;
  const span = (values) => [Math.min(...values) / 1.5, Math.max(...values) * 1.5];
  const across = { log: true, domain: span(sizes), label: "batch size", ticks: sizes };

  /** Return round numbers within a range, few enough to be read. */
  function round([low, high]) {
    const found = [];
    for (let e = Math.floor(Math.log10(low)); 10 ** e <= high; e++)
      for (const one of [1, 3]) found.push(one * 10 ** e);
    return found.filter((one) => one >= low && one <= high);
  }

  lab.draw(() => {
    const { axis } = lab.state;
    const there = rows.filter((row) => row[axis] > 0);
    const range = span(there.map((row) => row[axis]));
    plot.frame(across, { log: true, domain: range, label: axis, ticks: round(range) });
    // of each size the best rate, and of the size that is looked at all rates
    const best = sizes
      .map((size) => there.filter((row) => row.batch === size))
      .filter((some) => some.length)
      .map((some) => some.reduce((a, b) => (b[axis] < a[axis] ? b : a)));
    const now = rows.find(here);
    plot.dots(
      "tried nnp-muted",
      there.filter((row) => row.batch === lab.state.batch).map((row) => [row.batch, row[axis]]),
      4,
    );
    const shown = now && now[axis] > 0;
    plot.dots("now nnp-c2", shown ? [[now.batch, now[axis]]] : [], 7);
    const least = Math.min(...rows.filter((r) => r.seconds > 0).map((r) => r.seconds));
    const found = now && now.seconds > 0 && now.seconds <= 1.02 * least;
    // the best of all sizes shows once the reader has found it
    plot.line("best nnp-c1", found ? best.map((row) => [row.batch, row[axis]]) : []);
    // the full set has no noise, which a logarithmic axis cannot show
    const noises = sizes
      .map((size) => rows.find((row) => row.batch === size))
      .filter((row) => row.noise > 0);
    const heights = span(noises.map((row) => row.noise));
    noise.frame(across, {
      log: true,
      domain: heights,
      label: "noise of the gradient",
      ticks: round(heights),
    });
    noise.line("noise nnp-c1", noises.map((row) => [row.batch, row.noise]));
    const at = noises.filter((row) => row.batch === lab.state.batch);
    noise.dots("at nnp-c2", at.map((row) => [row.batch, row.noise]), 7);
    lab.reached(Boolean(found));
    const which = `Batches of ${lab.state.batch}, rate ${kit.number(lab.state.rate)}: `;
    if (!now) return `${which}not tried in this run. Take another rate.`;
    if (!shown) return `${which}most runs do not reach the target. Take another rate.`;
    return (
      `${which}${kit.number(now.updates)} updates, ${kit.number(now.epochs)} epochs, ` +
      `${kit.number(now.seconds)} seconds to the target (medians). ` +
      `Noise of the gradient: ${kit.number(now.noise)}.`
    );
  });
});
