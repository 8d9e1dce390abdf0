// title: Rescue the output
// goal: find a pair that turns a certain and wrong answer into a right one in 100 steps, and one that never moves at all.
// takeaway: Output and loss belong together: the pull on the logit is the error itself where they match, and the slope of a flat curve, or nothing, where they do not.
// uses: d3 nn
nnperf.lab("rescue_output", (lab) => {
  const { nn, kit } = nnperf;
  const STEPS = 100;
  const OUTPUTS = {
    sigmoid: "sigmoid",
    softmax: "softmax, one unit",
    linear: "linear",
  };
  const LOSSES = {
    mse: "mean squared error",
    binary_crossentropy: "binary cross-entropy",
    binary_crossentropy_from_logits: "the same, from_logits=True",
  };
  lab.choice("output", { label: "Output", options: OUTPUTS });
  lab.choice("loss", { label: "Loss", options: LOSSES });
  lab.choice("label", { label: "True label", options: { 1: "1", 0: "0" }, start: "1" });
  const sums = kit.linspace(-10, 10, 41);
  lab.slider("sum", { label: "Logit z at the start", values: sums, start: -6 });
  lab.slider("rate", {
    label: "Learning rate",
    values: [0.01, 0.03, 0.1, 0.3, 1],
    start: 1,
  });
  const known = Object.keys(OUTPUTS).flatMap((o) =>
    Object.keys(LOSSES).map((l) => `${o}+${l}`),
  );
  lab.list(
    "tried",
    known.flatMap((pair) => [`${pair}:right`, `${pair}:still`, `${pair}:wrong`]),
  );
  lab.buttons({
    "100 steps": () => {
      const { output, loss, tried } = lab.state;
      const { answers, certain } = descend(lab.state);
      const end = answers[STEPS];
      // what was right or unsure at the start proves nothing
      const verdict = Math.abs(end - answers[0]) < 1e-9 ? "still" : rightness(end);
      const entry = `${output}+${loss}:${verdict}`;
      const others = tried.filter((one) => !one.startsWith(`${output}+${loss}:`));
      lab.set({ at: STEPS, tried: certain ? [...others, entry] : tried });
    },
    "Back to the start": () => lab.set({ at: 0 }),
  });
  lab.count("at", STEPS);
  const plot = lab.plot({ height: 240 });
  const table = lab.add(kit.h("div"));

  const rightness = (p) =>
    Math.abs(p - Number(lab.state.label)) < 0.5 ? "right" : "wrong";

  /** Return the answer of an output at sum z, and the slope of the loss there. */
  function look(output, loss, z, label) {
    const sum = nn.matrix(1, 1, Float64Array.of(z));
    const answer = nn.activate(output, sum);
    const { value, gradient } = nn.loss(loss, answer, [label]);
    return {
      answer: answer.values[0],
      value,
      pull: nn.activateBack(output, sum, answer, gradient).values[0],
    };
  }

  /** Move the sum down the slope: the answers, step by step. */
  function descend({ output, loss, sum, label, rate }) {
    const answers = [];
    let z = sum;
    for (let step = 0; step <= STEPS; step++) {
      const { answer, pull } = look(output, loss, z, Number(label));
      answers.push(answer);
      z -= rate * pull;
    }
    return { answers, z, certain: Math.abs(sum) >= 4 && sum > 0 !== (label === "1") };
  }

  lab.draw(() => {
    const { output, loss, label, sum, at, tried } = lab.state;
    const { answers } = descend(lab.state);
    const first = look(output, loss, sum, Number(label));
    const low = Math.max(-12, Math.min(-0.05, ...answers));
    const high = Math.min(12, Math.max(1.05, ...answers));
    plot.frame(
      { domain: [0, STEPS], label: "step" },
      { domain: [low, high], label: "answer of the network" },
    );
    plot.segments("label nnp-good nnp-dashed", [
      [0, Number(label), STEPS, Number(label)],
    ]);
    plot.words("label-name", [
      {
        x: STEPS,
        y: Number(label),
        anchor: "end",
        dy: label === "1" ? 16 : -6,
        text: "true label",
      },
    ]);
    const shown = answers.slice(0, at + 1).map((p, step) => [step, p]);
    plot.line("answers nnp-c1", shown).attr("clip-path", plot.inside());
    plot.dots("now nnp-c1", shown.slice(-1));
    const verdicts = {
      right: "✓ right",
      wrong: "moves, and is still wrong",
      still: "✗ never moves",
    };
    const rows = tried.map((one) => {
      const [pair, verdict] = one.split(":");
      const [o, l] = pair.split("+");
      return [`${OUTPUTS[o]} with ${LOSSES[l]}`, verdicts[verdict]];
    });
    table.replaceChildren(
      ...(rows.length
        ? [kit.table(["certain and wrong", "after 100 steps"], rows)]
        : []),
    );
    const has = (verdict) => tried.some((one) => one.endsWith(`:${verdict}`));
    lab.reached(has("right") && has("still"));
    return (
      `At z ${kit.number(sum)} the answer is ${kit.number(first.answer)}, the loss ` +
      `${kit.number(first.value)}, the pull on z ${kit.number(-first.pull)}. ` +
      (at
        ? `After ${at} steps the answer is ${kit.number(answers[at])}: ${rightness(answers[at])}.`
        : "")
    );
  });
});
