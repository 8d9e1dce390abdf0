// title: Spend the budget
// goal: within the budget, come to a set of steps that ranks as well as the course's own (within half a point, a mean of all cut dates); then open the fortnight.
// takeaway: Steps that cost no further trainings come first: once you tune and average, every further try costs twelve, and one cut date's validation rows are a noisy judge.
// uses: d3
// values: steps, words, validation, later, boosting, trainings, budget
nnperf.lab("spend_budget", (lab) => {
  const { kit } = nnperf;
  const { steps, words, validation, later, boosting, trainings, budget } = lab.data;
  const every = 2 ** steps.length - 1;
  const MOVES = [...steps, "back"];
  const close = 5; // thousandths of the area
  const average = (values) => values.reduce((sum, v) => sum + v, 0) / values.length;
  const worth = (set) => average(later.map((cut) => cut[set]));
  const area = (thousandths) => (thousandths / 1000).toFixed(3);
  const bit = (step) => 1 << steps.indexOf(step);

  /** Return the sets that were trained, in order, and what all of them cost. */
  function walk(moves) {
    let set = 0;
    let spent = trainings[0];
    const way = [{ set, spent, name: "naive inputs" }];
    const taken = [];
    for (const move of moves) {
      if (move === "back") {
        if (taken.length) set &= ~bit(taken.pop());
        // its networks are there already: nothing is trained
      } else if (!taken.includes(move)) {
        taken.push(move);
        set |= bit(move);
        // where to stop is read off curves that are there
        spent += move === "stopping" ? 0 : trainings[set];
      }
      const name = move === "back" ? "one step back" : words[steps.indexOf(move)];
      way.push({ set, spent, name });
    }
    return { set, spent, way, taken };
  }

  const price = (set, step) => (step === "stopping" ? 0 : trainings[set | bit(step)]);
  const course = () => walk(steps);

  lab.slider("cut", {
    label: "Cut date",
    values: validation.map((_, i) => i),
    start: 0,
    format: (i) => `${i + 1} of ${validation.length}`,
  });
  lab.list("moves", MOVES, 40);
  lab.list("open", ["yes"], 1);

  const act = (move) => {
    const { moves, open } = lab.state;
    const { set, spent, taken } = walk(moves);
    if (open.length) return;
    if (move === "back") {
      if (taken.length) lab.set({ moves: [...moves, move] });
    } else if (!taken.includes(move) && spent + price(set, move) <= budget)
      lab.set({ moves: [...moves, move] });
  };
  const made = lab.buttons(
    Object.fromEntries(steps.map((step, i) => [words[i], () => act(step)])),
  );
  const [back, open, again] = lab.buttons({
    "One step back": () => act("back"),
    "Open the fortnight": () => lab.set({ open: ["yes"] }),
    "Begin again": () => lab.set({ moves: [], open: [] }),
  });
  const plot = lab.plot({ height: 230 });
  const table = lab.add(kit.h("div"));

  lab.draw(() => {
    const { cut, moves } = lab.state;
    const isOpen = lab.state.open.length > 0;
    const { set, spent, way, taken } = walk(moves);
    steps.forEach((step, i) => {
      made[i].disabled =
        isOpen || taken.includes(step) || spent + price(set, step) > budget;
    });
    back.disabled = isOpen || !taken.length;
    open.disabled = isOpen;
    again.disabled = !moves.length && !isOpen;

    const seen = way.map((one) => [one.spent, validation[cut][one.set] / 1000]);
    const all = [...validation[cut], ...(isOpen ? later[cut] : [])];
    const low = Math.min(500, ...all) / 1000;
    const high = Math.max(...all) / 1000;
    plot.frame(
      { domain: [0, budget], label: "trainings spent" },
      { domain: [low - 0.01, high + 0.02], label: "area under the ROC curve" },
    );
    plot.line("seen nnp-c1", seen);
    plot.dots("each nnp-c1", seen, 4);
    const [x, y] = seen[seen.length - 1];
    const anchor = x > budget / 2 ? "end" : "start";
    const dx = anchor === "end" ? -6 : 6;
    plot.words("name nnp-c1", [{ x, y, dx, dy: -8, anchor, text: "validation" }]);
    const used = isOpen ? [[spent, later[cut][set] / 1000]] : [];
    plot.dots("used nnp-c2", used, 6);
    plot.words(
      "used-name nnp-c2",
      used.map(([at, value]) => ({
        x: at,
        y: value,
        dx,
        dy: 16,
        anchor,
        text: "the fortnight after",
      })),
    );

    const rows = [];
    if (isOpen) {
      const row = (name, here, mean, cost) => [name, cost, area(here), area(mean)];
      const { spent: own } = course();
      rows.push(row("your steps", later[cut][set], worth(set), spent));
      rows.push(row("the course's order", later[cut][every], worth(every), own));
      rows.push(row("naive inputs", later[cut][0], worth(0), trainings[0]));
      rows.push(row("gradient boosting", boosting[cut], average(boosting), 12));
    }
    table.replaceChildren(
      ...(rows.length
        ? [kit.table(["network", "trainings", "this fortnight", "all fortnights"], rows)]
        : []),
    );
    const good = worth(set) >= worth(every) - close;
    lab.reached(isOpen && good);
    const now = validation[cut][set];
    const last = way.length > 1 ? way[way.length - 2].set : set;
    const change = now - validation[cut][last];
    return (
      `Cut date ${cut + 1} of ${validation.length}. ${spent} of ${budget} trainings are ` +
      `spent. ${way[way.length - 1].name}: validation ${area(now)}` +
      (moves.length
        ? `, ${change < 0 ? "−" : "+"}${area(Math.abs(change))} on before. `
        : ". ") +
      (isOpen
        ? `The fortnight after: ${area(later[cut][set])}; mean of all fortnights ` +
          `${area(worth(set))}, the course's order ${area(worth(every))}. ` +
          (good ? "" : "The course's order ranks better: begin again.")
        : taken.length === steps.length
          ? "All steps are taken."
          : "")
    );
  });
});
