// title: Grow an ensemble
// goal: find five members of any kinds that have, together, a lower squared error than the best five of one kind.
// takeaway: Together they have the members' mean error less what they differ: a good ensemble needs members that are good, and wrong in different places.
// uses: d3
// values: kinds, shares, truth
nnperf.lab("grow_ensemble", (lab) => {
  const { kit } = nnperf;
  const { kinds, shares, truth } = lab.data;
  const classes = shares[0][0].length / truth.length;
  const mean = (values) => values.reduce((sum, one) => sum + one, 0) / values.length;

  // each member: for each signal a list of probabilities; it comes in percent, rounded
  const members = shares.flatMap((own, kind) =>
    own.map((flat, number) => ({
      kind,
      number,
      key: `k${kind}m${number}`,
      shares: truth.map((_, i) => {
        const row = flat.slice(i * classes, (i + 1) * classes);
        const sum = row.reduce((a, b) => a + b, 0);
        return row.map((share) => share / sum);
      }),
    })),
  );
  const together = (some) =>
    truth.map((_, i) =>
      kit.linspace(0, classes - 1, classes).map((c) => mean(some.map((m) => m.shares[i][c]))),
    );
  const distance = (one, other) =>
    mean(one.map((row, i) => row.reduce((s, p, c) => s + (p - other[i][c]) ** 2, 0)));
  const wanted = truth.map((y) => kit.linspace(0, classes - 1, classes).map((c) => +(c === y)));
  const error = (predicted) => distance(predicted, wanted);
  const best = (row) => row.indexOf(Math.max(...row));
  const accuracy = (predicted) => mean(predicted.map((row, i) => +(best(row) === truth[i])));
  for (const member of members) {
    member.error = error(member.shares);
    member.accuracy = accuracy(member.shares);
  }
  const ofKind = (kind) => members.filter((m) => m.kind === kind).slice(0, 5);
  const target = Math.min(...kinds.map((_, kind) => error(together(ofKind(kind)))));
  /** Whether any five members are better than the best five of one kind. */
  function canBeat(picked = [], next = 0) {
    if (picked.length === 5) return error(together(picked)) < target - 1e-9;
    for (let i = next; i <= members.length - 5 + picked.length; i++)
      if (canBeat([...picked, members[i]], i + 1)) return true;
    return false;
  }
  // where none is, as good has to do
  const enough = target + (canBeat() ? -1e-9 : 1e-9);

  const rows = lab.add(kit.h("div"));
  kinds.forEach((name, kind) => {
    const row = kit.h("div", { class: "nnp-controls" });
    rows.append(kit.h("p", { class: "nnp-caption" }, `${name}:`), row);
    for (const m of members.filter((one) => one.kind === kind))
      lab.toggle(m.key, { label: `${name}, ${m.number + 1}` }, row);
  });
  lab.buttons({
    "Take all out": () =>
      lab.set(Object.fromEntries(members.map((m) => [m.key, false]))),
  });
  const plot = lab.plot({ height: 150, margin: { left: 118, top: 8 } });
  const table = lab.add(kit.h("div"));
  const more = lab.add(kit.h("div", { class: "nnp-controls" }));
  const signals = truth.map((_, i) => i + 1);
  lab.slider("signal", { label: "Signal", values: signals, start: 1 }, more);
  const temperatures = [0.5, 1, 2, 4, 8, 16];
  lab.slider("temperature", { label: "Temperature", values: temperatures, start: 1 }, more);
  const labels = lab.plot({ height: 200 });
  const most = Math.max(...members.map((m) => m.error));
  const percent = (share) => `${(100 * share).toFixed(1)}%`;

  lab.draw(() => {
    const picked = members.filter((m) => lab.state[m.key]);
    const all = picked.length ? picked : members.slice(0, 1);
    const predicted = together(all);
    const alone = mean(all.map((m) => m.error));
    const apart = mean(all.map((m) => distance(m.shares, predicted)));
    const left = error(predicted);
    plot.frame(
      { domain: [0, 1.05 * most], label: "squared error" },
      {
        domain: [0.4, 2.6],
        label: "",
        ticks: [2, 1],
        format: (y) => (y === 2 ? "members’ mean" : "together"),
      },
    );
    plot.boxes("alone nnp-bar nnp-c3", [[0, alone, 1.7, 2.3]]);
    plot.boxes("left nnp-bar nnp-c1", [[0, left, 0.7, 1.3]]);
    plot.segments("apart nnp-muted nnp-dashed", [[left, 1, alone, 1]]);
    plot.segments("target nnp-c2", [[target, 0.5, target, 2.5]]);
    table.replaceChildren(
      kit.table(
        ["part", "squared error", "right"],
        [
          ["members’ mean", alone.toFixed(4), percent(mean(all.map((m) => m.accuracy)))],
          ["less what they differ", apart.toFixed(4), ""],
          ["together", left.toFixed(4), percent(accuracy(predicted))],
        ],
      ),
    );

    const { signal, temperature } = lab.state;
    const row = predicted[signal - 1];
    const powers = row.map((p) => Math.max(p, 1e-7) ** (1 / temperature));
    const sum = powers.reduce((a, b) => a + b, 0);
    const soft = powers.map((p) => p / sum);
    const y = truth[signal - 1];
    labels.frame(
      {
        domain: [-0.6, classes - 0.4],
        label: "class",
        ticks: kit.linspace(0, classes - 1, classes),
      },
      { domain: [0, 1], label: "label for a student" },
    );
    const bar = (p, c) => [c - 0.35, c + 0.35, 0, p];
    labels.boxes("true nnp-bar nnp-c1", soft.map(bar).filter((_, c) => c === y));
    labels.boxes("other nnp-bar nnp-c3", soft.map(bar).filter((_, c) => c !== y));
    lab.reached(picked.length === 5 && left < enough);
    const who = picked.length
      ? `${picked.length} ${picked.length === 1 ? "member" : "members"}`
      : "No member is in; this is the first one alone";
    const others = soft.filter((_, c) => c !== y);
    return (
      `${who}: members’ mean squared error ${alone.toFixed(4)}, less ${apart.toFixed(4)} for ` +
      `what they differ, is ${left.toFixed(4)} together (line: ${target.toFixed(4)}, the best ` +
      `five of one kind). Signal ${signal}, temperature ${kit.number(temperature)}: the true ` +
      `class ${y} gets ${percent(soft[y])}, the likeliest other ${percent(Math.max(...others))}.`
    );
  });
});
