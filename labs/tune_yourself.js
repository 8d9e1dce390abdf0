// title: Tune it yourself
// goal: spend 14 trials on the validation rows, see what your winner is worth, and do it again on another split.
// takeaway: The winner's validation score is a promise that the test part often does not keep: of many noisy scores you picked the highest, and so did the random search.
// uses: d3 nn
// data: split, validation, test, *
nnperf.lab("tune_yourself", (lab) => {
  const { nn, kit } = nnperf;
  const TRIALS = 14;
  const rows = kit.rows(lab.data);
  const knobs = Object.keys(rows[0]).filter(
    (n) => !["split", "validation", "test"].includes(n),
  );
  const splits = [...new Set(rows.map((row) => row.split))];
  const settings = rows.filter((row) => row.split === splits[0]);
  const same = (a, b) => knobs.every((knob) => a[knob] === b[knob]);
  const at = (setting, split) =>
    rows.find((row) => row.split === split && same(row, setting));
  const average = (values) => values.reduce((sum, v) => sum + v, 0) / values.length;
  // what a setting is worth: its test accuracy, averaged over the splits
  const worth = settings.map((s) => average(splits.map((split) => at(s, split).test)));
  const best = Math.max(...worth);

  for (const knob of knobs) {
    const levels = [...new Set(rows.map((row) => row[knob]))];
    const label = knob.replaceAll("_", " ");
    if (levels.every(Number.isFinite))
      lab.slider(knob, {
        label,
        values: levels.sort((a, b) => a - b),
        start: levels[0],
      });
    else
      lab.choice(knob, {
        label,
        options: Object.fromEntries(levels.map((l) => [l, String(l)])),
      });
  }
  const names = settings.map((_, i) => String(i));
  lab.count("round", splits.length - 1);
  lab.list("trials", names, TRIALS);
  lab.list("before", names, splits.length); // the winners of the rounds before
  const chosen = () =>
    settings.findIndex((s) =>
      knobs.every((knob) => String(s[knob]) === String(lab.state[knob])),
    );
  const [tryIt, next] = lab.buttons({
    "Try it": () => {
      const { trials } = lab.state;
      const name = String(chosen());
      if (trials.length < TRIALS && !trials.includes(name))
        lab.set({ trials: [...trials, name] });
    },
    "Another split": () => {
      const { round, trials, before } = lab.state;
      lab.set({
        round: round + 1,
        trials: [],
        before: [...before, winner(trials, splits[round])],
      });
    },
  });
  const plot = lab.plot({ height: 240 });
  const table = lab.add(kit.h("div"));

  const percent = (v) => `${kit.number(100 * v)}%`;
  const score = (name, split) => at(settings[name], split).validation;
  const winner = (trials, split) =>
    trials.reduce((a, b) => (score(b, split) > score(a, split) ? b : a));

  /** Return 14 settings drawn at random, the same for a split. */
  function random(round) {
    const draw = nn.random(round + 1);
    const left = [...names];
    const drawn = () => left.splice(draw.integer(left.length), 1)[0];
    return Array.from({ length: Math.min(TRIALS, names.length) }, drawn);
  }

  /** Return a row of the table: promise, test, and how far from the best setting. */
  function verdict(who, name, split) {
    const { validation, test } = at(settings[name], split);
    const short = `${kit.number(100 * (best - worth[name]))} points`;
    return [who, percent(validation), percent(test), short];
  }

  lab.draw(() => {
    const { round, trials, before } = lab.state;
    const split = splits[round];
    const most = Math.min(TRIALS, names.length);
    const done = trials.length >= most;
    tryIt.disabled = done;
    next.hidden = !done || round + 1 >= splits.length;
    const other = random(round);
    const scores = settings.map((_, i) => score(i, split));
    const beyond = (Math.max(...scores) - Math.min(...scores)) / 10 || 0.01;
    plot.frame(
      { domain: [0.5, most + 0.5], label: "trial", ticks: kit.linspace(2, 14, 7) },
      {
        domain: [Math.min(...scores) - beyond, Math.max(...scores) + beyond],
        label: `validation accuracy, worst to best of ${names.length} settings`,
        format: percent,
      },
    );
    const places = (list) => list.map((name, i) => [i + 1, score(name, split)]);
    const running = (list) =>
      list.map((_, i) => [
        i + 1,
        Math.max(...list.slice(0, i + 1).map((n) => score(n, split))),
      ]);
    const beside = other.slice(0, trials.length); // it plays as fast as you
    plot.dots("random nnp-c3", places(beside), 3);
    plot.line("random-best nnp-c3 nnp-dashed", running(beside));
    plot.dots("yours nnp-c2", places(trials), 5);
    plot.line("best nnp-c2", running(trials));
    const label = (list, text, dy) =>
      list.length
        ? [
            {
              x: list.length,
              y: running(list)[list.length - 1][1],
              dx: -6,
              dy,
              anchor: "end",
              text,
            },
          ]
        : [];
    plot.words("you-name nnp-c2", label(trials, "you", -8));
    plot.words("random-name nnp-c3", label(beside, "random search", 18));

    const rounds = [...before, ...(done ? [winner(trials, split)] : [])];
    const told = rounds.flatMap((name, r) => [
      verdict(`split ${r + 1}, you`, name, splits[r]),
      verdict(`split ${r + 1}, random`, winner(random(r), splits[r]), splits[r]),
    ]);
    table.replaceChildren(
      ...(told.length
        ? [kit.table(["winner of", "promise", "test", "short of the best"], told)]
        : []),
    );
    lab.reached(rounds.length >= 2);
    if (!trials.length)
      return (
        `Split ${round + 1}: choose a setting and try it. You have ${most} trials. Beside ` +
        "you a random search (dashed) draws as many."
      );
    const last = trials[trials.length - 1];
    return (
      `Trial ${trials.length} of ${most}: validation accuracy ${percent(score(last, split))}; ` +
      `your best so far ${percent(score(winner(trials, split), split))}. ` +
      (!done && trials.slice(0, -1).includes(String(chosen()))
        ? "You have tried this setting. "
        : "") +
      (done
        ? `Test accuracy of your winner: ${percent(at(settings[winner(trials, split)], split).test)}.`
        : "")
    );
  });
});
