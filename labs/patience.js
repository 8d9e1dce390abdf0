// title: Patience
// goal: find the smallest patience with which no network loses more than 0.02 of test loss in the mean.
// takeaway: How much patience is enough depends on the curve: less of it costs score where the bumps are large against the fall, and more of it only costs epochs.
// uses: d3
// values: networks, validation, test
nnperf.lab("patience", (lab) => {
  const { kit } = nnperf;
  const { networks, validation, test } = lab.data;
  const most = validation[networks[0]][0].length;
  const patiences = Array.from({ length: 21 }, (_, i) => i);
  const mean = (values) => values.reduce((sum, one) => sum + one, 0) / values.length;

  /** Return at which epochs patience stops and which it keeps, counted from 0. */
  function stop(curve, patience) {
    let kept = 0;
    for (let i = 1; i < curve.length; i++)
      if (curve[i] < curve[kept]) kept = i;
      else if (i - kept >= patience) return [i, kept];
    return [curve.length - 1, kept];
  }

  /** Return what a patience does to all runs of a network, in the mean. */
  function told(name, patience) {
    const ends = validation[name].map((curve) => stop(curve, patience));
    const last = validation[name].map((curve) => stop(curve, most)[1]);
    return {
      ends,
      trained: mean(ends.map((end) => end[0] + 1)),
      kept: mean(ends.map((end) => end[1] + 1)),
      lost: mean(ends.map((end, i) => test[name][i][end[1]] - test[name][i][last[i]])),
    };
  }

  const worst = patiences.map((p) => Math.max(...networks.map((n) => told(n, p).lost)));
  // where even the largest loses more, what loses least
  const enough = Math.max(0.02, Math.min(...worst));
  const smallest = worst.findIndex((lost) => lost <= enough);

  const options = Object.fromEntries(networks.map((name, i) => [`n${i}`, name]));
  lab.choice("network", { label: "Network", options });
  lab.slider("patience", { label: "Patience, epochs", values: patiences, start: 0 });
  const plot = lab.plot({ height: 280 });
  const table = lab.add(kit.h("div"));
  const signed = (value) =>
    Math.abs(value) < 0.0005 ? "0" : `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(3)}`;

  lab.draw(() => {
    const { network, patience } = lab.state;
    const name = options[network];
    const curves = validation[name];
    const now = told(name, patience);
    const lowest = Math.min(...curves.flat());
    const start = Math.max(...curves.map((curve) => curve[0]));
    plot.frame(
      { domain: [1, most], label: "epoch" },
      { domain: [lowest, start], label: "validation loss" },
    );
    const inside = plot.inside();
    const points = (curve) => curve.map((value, i) => [i + 1, value]);
    curves.forEach((curve, i) => {
      const seen = now.ends[i][0] + 1;
      const after = points(curve).slice(seen - 1);
      plot.line(`after${i} nnp-muted nnp-thin nnp-dashed`, after).attr("clip-path", inside);
      plot
        .line(`run${i} nnp-c2 nnp-thin`, points(curve).slice(0, seen))
        .attr("clip-path", inside);
    });
    plot.dots(
      "kept nnp-c1",
      curves.map((curve, i) => [now.ends[i][1] + 1, curve[now.ends[i][1]]]),
    );
    table.replaceChildren(
      kit.table(
        ["network", "trained", "kept", "test loss lost"],
        networks.map((one) => {
          const of = told(one, patience);
          return [one, of.trained.toFixed(1), of.kept.toFixed(1), signed(of.lost)];
        }),
      ),
    );
    lab.reached(patience === smallest);
    const ends = now.ends.map((end) => end[0] + 1);
    return (
      `${name}, patience ${patience}: ${curves.length} runs stop after ${Math.min(...ends)} to ` +
      `${Math.max(...ends)} epochs (dashed: what they do not see) and keep the epochs with a ` +
      `dot. Against the best of all ${most} epochs the weights kept lose ` +
      `${signed(now.lost)} of test loss.`
    );
  });
});
