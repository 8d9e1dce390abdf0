// title: Cut a block
// goal: cut four of the eight blocks so that the scaled network keeps within three points of what the best choice of four keeps.
// takeaway: How much a network misses a block depends on how much the block adds: all in a plain network, a share in a residual one, little where the branches are scaled.
// uses: d3
// data: network, cut, accuracy
nnperf.lab("cut_block", (lab) => {
  const { kit } = nnperf;
  const rows = kit.rows(lab.data); // bit k - 1 of `cut` says that block k is out
  const names = [...new Set(rows.map((row) => row.network))];
  const blocks = Math.round(Math.log2(rows.length / names.length));
  const half = Math.floor(blocks / 2);
  const numbers = Array.from({ length: blocks }, (_, i) => i + 1);
  const left = Object.fromEntries(names.map((name) => [name, []]));
  for (const row of rows) left[row.network][row.cut] = row.accuracy;
  const size = (cut) => numbers.filter((k) => cut & (1 << (k - 1))).length;
  const ranges = Object.fromEntries(
    names.map((name) => [
      name,
      [0, ...numbers].map((n) => {
        const some = left[name].filter((_, cut) => size(cut) === n);
        return [n, Math.min(...some), Math.max(...some)];
      }),
    ]),
  );

  const switches = lab.add(kit.h("div", { class: "nnp-controls" }));
  for (const k of numbers)
    lab.toggle(`b${k}`, { label: `cut block ${k}` }, switches);
  lab.buttons({
    "Put all back": () =>
      lab.set(Object.fromEntries(numbers.map((k) => [`b${k}`, false]))),
  });
  const chain = lab.plot({ height: 170, margin: { left: 112, top: 8, bottom: 34 } });
  const plot = lab.plot({ height: 260 });
  const percent = (share) => `${kit.number(100 * share)}%`;
  const colors = ["nnp-c1", "nnp-c2", "nnp-c3"]; // as in the figures

  /** Draw each network as a row of blocks; what is cut is crossed out. */
  function drawChains(cut) {
    chain.frame(
      { domain: [0.4, blocks + 0.6], label: "block, from input to output", ticks: numbers },
      {
        domain: [-0.6, names.length - 0.4],
        label: "",
        ticks: names.map((_, i) => i),
        format: (i) => `${names[i]} ${percent(left[names[i]][cut])}`,
      },
    );
    names.forEach((_, i) => {
      chain.segments(`wire${i} ${colors[i]}`, [[0.4, i, blocks + 0.6, i]]);
      const box = (k) => [k - 0.32, k + 0.32, i - 0.26, i + 0.26];
      const isOut = (k) => cut & (1 << (k - 1));
      chain.boxes(`in${i} nnp-bar ${colors[i]}`, numbers.filter((k) => !isOut(k)).map(box));
      const crosses = numbers.filter(isOut).flatMap((k) => [
        [k - 0.2, i - 0.2, k + 0.2, i + 0.2],
        [k - 0.2, i + 0.2, k + 0.2, i - 0.2],
      ]);
      chain.segments(`out${i} nnp-muted`, crosses);
    });
  }

  lab.draw(() => {
    const cut = numbers.reduce(
      (sum, k) => sum + (lab.state[`b${k}`] ? 1 << (k - 1) : 0),
      0,
    );
    const out = size(cut);
    drawChains(cut);
    plot.frame(
      { domain: [-0.2, blocks + 0.2], label: "blocks cut", ticks: [0, ...numbers] },
      { domain: [0, 1], label: "validation accuracy", format: percent },
    );
    names.forEach((name, i) => {
      plot.band(`range${i} ${colors[i]}`, ranges[name]);
      plot.dots(`now${i} ${colors[i]}`, [[out, left[name][cut]]], 6);
    });
    const last = names[names.length - 1];
    const most = ranges[last][half][2];
    const kept = left[last][cut];
    lab.reached(out === half && most - kept <= 0.03);
    const said = names.map((name) => `${name} ${percent(left[name][cut])}`).join(", ");
    const which = numbers.filter((k) => cut & (1 << (k - 1))).join(", ");
    return (
      (out ? `Without ${out === 1 ? "block" : "blocks"} ${which}: ` : "With all blocks: ") +
      `${said}. The bands reach from the worst to the best choice of as many blocks. ` +
      (out === half
        ? `The best choice of ${half} leaves ${percent(most)} of right answers, yours ${percent(kept)}.`
        : "")
    );
  });
});
