// title: Threshold
// goal: bring both networks within 1 of the lowest cost that they can have on the validation images.
// takeaway: Class weights move the probabilities, and a slider moves the decision: compare the two lowest costs, and how far apart their thresholds are.
// uses: d3
// values: networks, validation, test, miss, alarm
nnperf.lab("threshold", (lab) => {
  const { kit } = nnperf;
  const { networks, validation, test, miss, alarm } = lab.data;
  const odds = Array.from({ length: 101 }, (_, i) => Math.round(i - 60) / 10);
  const percent = (x) => {
    const p = 100 / (1 + Math.exp(-x));
    return `${p < 10 ? p.toFixed(1) : p.toFixed(0)}%`;
  };

  /** Return what a threshold does to the images of a part: counts and cost for 100. */
  function told(part, name, at) {
    const { yes, no } = part[name];
    const found = yes.filter((x) => x >= at).length;
    const alarms = no.filter((x) => x >= at).length;
    const count = yes.length + no.length;
    return {
      recall: found / yes.length,
      precision: found + alarms ? found / (found + alarms) : null,
      accuracy: (found + no.length - alarms) / count,
      cost: (100 * (miss * (yes.length - found) + alarm * alarms)) / count,
    };
  }

  const lowest = networks.map((name) =>
    Math.min(...odds.map((at) => told(validation, name, at).cost)),
  );
  networks.forEach((name, i) =>
    lab.slider(`t${i}`, {
      label: `Threshold, ${name}`,
      values: odds,
      start: 0,
      format: percent,
    }),
  );
  const plot = lab.plot({ height: 250 });
  const table = lab.add(kit.h("div"));

  /** Return a histogram's outline over log-odds, its highest bar 0.85 high. */
  function outline(values, base) {
    const bins = Array.from({ length: 40 }, (_, i) => -6 + i / 4);
    const counts = bins.map(
      (low, i) =>
        values.filter(
          (x) => (x >= low || !i) && (x < low + 0.25 || i === bins.length - 1),
        ).length,
    );
    const most = Math.max(...counts);
    return bins.flatMap((low, i) => {
      const height = base + (0.85 * counts[i]) / most;
      return [
        [low, height],
        [low + 0.25, height],
      ];
    });
  }

  lab.draw(() => {
    const at = networks.map((_, i) => lab.state[`t${i}`]);
    const now = networks.map((name, i) => told(validation, name, at[i]));
    const there = now.map((one, i) => one.cost <= lowest[i] + 1);
    const done = there.every(Boolean);
    plot.frame(
      {
        domain: [-6, 4],
        label: "probability of a shirt",
        ticks: [-4.6, -2.94, -1.39, 0, 1.39, 2.94],
        format: percent,
      },
      { domain: [0, networks.length], label: "images", ticks: [] },
    );
    networks.forEach((name, i) => {
      const base = networks.length - 1 - i;
      plot.line(`no${i} nnp-c1`, outline(validation[name].no, base));
      plot.line(`yes${i} nnp-c2`, outline(validation[name].yes, base));
      plot.segments(`at${i} nnp-muted`, [[at[i], base, at[i], base + 0.95]]);
      plot.words(`name${i}`, [
        { x: 3.9, y: base + 0.86, text: name, anchor: "end" },
      ]);
    });
    plot.words("no nnp-c1", [{ x: -5.8, y: networks.length - 0.14, text: "others" }]);
    plot.words("yes nnp-c2", [{ x: -5.8, y: networks.length - 0.3, text: "shirts" }]);
    const share = (value) => (value === null ? "–" : `${(100 * value).toFixed(0)}%`);
    const head = ["network", "threshold", "found", "precision", "accuracy", "cost"];
    if (done) head.push("test cost");
    table.replaceChildren(
      kit.table(
        head,
        networks.map((name, i) => {
          const cells = [name, percent(at[i])];
          cells.push(share(now[i].recall), share(now[i].precision));
          cells.push(`${(100 * now[i].accuracy).toFixed(1)}%`, now[i].cost.toFixed(1));
          if (done) cells.push(told(test, name, at[i]).cost.toFixed(1));
          return cells;
        }),
      ),
    );
    lab.reached(done);
    return networks
      .map(
        (name, i) =>
          `${name}: at ${percent(at[i])} it finds ${share(now[i].recall)} of the shirts ` +
          `and costs ${now[i].cost.toFixed(1)} for 100 images` +
          (there[i] ? ", within 1 of its lowest" : ""),
      )
      .join("; ")
      .concat(`. A miss costs ${miss}, a false alarm ${alarm}.`);
  });
});
