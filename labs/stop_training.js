// title: Stop the training
// goal: stop where the network that you keep has a test loss at most 2% above the lowest.
// takeaway: The validation loss is a good guide and a noisy one: patience waits out its noise, and the best epoch by loss need not be the best by accuracy.
// uses: d3
// data: variant, epoch, train_loss, validation_loss, test_loss, test_accuracy
nnperf.lab("stop_training", (lab) => {
  const { kit } = nnperf;
  const rows = kit.rows(lab.data);
  const variants = [...new Set(rows.map((row) => row.variant))];
  const of = (variant) =>
    rows.filter((row) => row.variant === variant).sort((a, b) => a.epoch - b.epoch);
  const most = Math.max(...rows.map((row) => row.epoch));
  const options = Object.fromEntries(variants.map((name, i) => [`v${i}`, name]));
  lab.choice("variant", { label: "Network", options });
  lab.count("stopped", most);
  const player = lab.player("at", most, { what: "epoch", pause: 200 });
  const [stop, again] = lab.buttons({
    "Stop here": () => {
      lab.stop();
      lab.set({ stopped: lab.state.at });
    },
    "Train again": () => lab.set({ at: 0, stopped: 0 }),
  });
  const plot = lab.plot({ height: 300 });
  const table = lab.add(kit.h("div"));

  /** Return the epochs at which patience stops and which it keeps. */
  function patient(curve, patience) {
    let kept = 0;
    for (let i = 1; i < curve.length; i++) {
      if (curve[i].validation_loss < curve[kept].validation_loss) kept = i;
      else if (i - kept >= patience) return [i, kept];
    }
    return [curve.length - 1, kept];
  }

  lab.draw(() => {
    const { variant, at, stopped } = lab.state;
    const curve = of(options[variant]);
    const seen = stopped ? curve : curve.filter((row) => row.epoch <= at);
    player.hidden = Boolean(stopped);
    stop.hidden = Boolean(stopped);
    stop.disabled = !at;
    again.hidden = !stopped;
    const losses = curve.flatMap((row) => [
      row.train_loss,
      row.validation_loss,
      row.test_loss,
    ]);
    plot.frame(
      { domain: [1, most], label: "epoch" },
      {
        domain: [0, Math.min(Math.max(...losses), 2 * curve[0].validation_loss)],
        label: "loss",
      },
    );
    const line = (name) => seen.map((row) => [row.epoch, row[name]]);
    const inside = plot.inside();
    plot.line("train nnp-c1", line("train_loss")).attr("clip-path", inside);
    plot.line("validation nnp-c2", line("validation_loss")).attr("clip-path", inside);
    plot
      .line("test nnp-c3 nnp-dashed", stopped ? line("test_loss") : [])
      .attr("clip-path", inside);
    const now = seen[seen.length - 1];
    const labels = [
      ["train_loss", "training", "nnp-c1", -8],
      ["validation_loss", "validation", "nnp-c2", -8],
      ...(stopped ? [["test_loss", "test", "nnp-c3", 20]] : []),
    ];
    for (const [name, text, color, dy] of labels) {
      const place = { x: now?.epoch, y: Math.min(now?.[name], plot.y.domain()[1]) };
      plot.words(
        `${name} ${color}`,
        now ? [{ ...place, dx: -4, dy, anchor: "end", text }] : [],
      );
    }
    plot.segments(
      "you nnp-muted nnp-dashed",
      stopped ? [[stopped, 0, stopped, plot.y.domain()[1]]] : [],
    );
    if (!stopped) {
      table.replaceChildren();
      return now
        ? `Epoch ${now.epoch}: training loss ${kit.number(now.train_loss)}, validation loss ` +
            `${kit.number(now.validation_loss)}. The test part stays hidden until you stop.`
        : "Play, and stop when you would stop. Or go epoch by epoch.";
    }
    const chosen = curve.find((row) => row.epoch === stopped);
    const lowest = curve.reduce((a, b) => (b.test_loss < a.test_loss ? b : a));
    const cells = (row) => [
      String(row.epoch),
      kit.number(row.test_loss),
      `${kit.number(100 * row.test_accuracy)}%`,
    ];
    const rules = [2, 5, 10].map((patience) => {
      const [end, kept] = patient(curve, patience);
      return [`patience ${patience}`, String(curve[end].epoch), ...cells(curve[kept])];
    });
    table.replaceChildren(
      kit.table(
        ["weights of", "stops", "keeps", "test loss", "accuracy"],
        [
          ["you", String(stopped), ...cells(chosen)],
          ...rules,
          ["lowest", "–", ...cells(lowest)],
        ],
      ),
    );
    lab.reached(chosen.test_loss <= 1.02 * lowest.test_loss);
    return (
      `You keep epoch ${stopped}: test loss ${kit.number(chosen.test_loss)}, accuracy ` +
      `${kit.number(100 * chosen.test_accuracy)}%. The lowest test loss, ` +
      `${kit.number(lowest.test_loss)}, was at epoch ${lowest.epoch}.`
    );
  });
});
