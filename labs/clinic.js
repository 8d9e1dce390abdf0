// title: The clinic
// goal: examine all ten patients; name the cause of seven, with at most 30 readings.
// takeaway: Few readings tell most causes apart, and no single one tells all: rows and settings come first, because they cost seconds; where the doctor was wrong or silent, somebody had to think.
// uses: d3
// values: choices, patients
nnperf.lab("clinic", (lab) => {
  const { kit } = nnperf;
  const { h } = kit;
  const { choices, patients } = lab.data;
  const LOOKS = {
    rows: "the rows",
    settings: "the settings",
    batch: "one batch",
    curves: "the curves",
    layers: "the layers",
    answers: "its answers",
    learner: "simple learners",
  };
  const MOST = 30;
  const WANTED = 7;
  const causes = Object.keys(choices);
  const pairs = patients.flatMap((_, i) =>
    Object.keys(LOOKS).map((look) => `${i + 1}-${look}`),
  );
  const said = patients.flatMap((_, i) => causes.map((cause) => `${i + 1}-${cause}`));

  const numbers = Object.fromEntries(patients.map((_, i) => [i + 1, String(i + 1)]));
  lab.choice("patient", { label: "Patient", options: numbers });
  lab.list("seen", pairs, pairs.length);
  lab.list("named", said, patients.length);
  const complaint = lab.add(h("p", {}));
  const bar = lab.add(h("div", { class: "nnp-controls" }));
  const readings = lab.buttons(
    Object.fromEntries(
      Object.entries(LOOKS).map(([look, text]) => [
        `Look at ${text}`,
        () => {
          const one = `${lab.state.patient}-${look}`;
          if (!lab.state.seen.includes(one)) lab.set({ seen: [...lab.state.seen, one] });
        },
      ]),
    ),
    bar,
  );
  const plot = lab.plot({ height: 220 });
  const shown = lab.add(h("div"));
  const answer = lab.add(h("div", { class: "nnp-controls" }));
  lab.choice("cause", { label: "What is wrong?", options: choices, stacked: true }, answer);
  const [name] = lab.buttons(
    {
      "Name it": () => {
        const { patient, cause, named } = lab.state;
        if (!mine(patient)) lab.set({ named: [...named, `${patient}-${cause}`] });
      },
    },
    answer,
  );
  const verdict = lab.add(h("div"));

  const mine = (number) => {
    const found = lab.state.named.find((one) => one.startsWith(`${number}-`));
    return found ? found.slice(String(number).length + 1) : null;
  };
  const isRight = (patient, cause) => patient.right.includes(cause);
  const words = (cause) => choices[cause] ?? cause.replaceAll("_", " ");
  const text = (value) =>
    value === null || value === undefined ? "–" : kit.number(value);

  /** Return a picture, rows of digits from 0 to 9. */
  function picture([label, lines]) {
    const ns = "http://www.w3.org/2000/svg";
    const svg = document.createElementNS(ns, "svg");
    const side = lines.length;
    svg.setAttribute("viewBox", `0 0 ${side} ${side}`);
    svg.setAttribute("width", 64);
    svg.setAttribute("height", 64);
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", `a picture of class ${label}`);
    lines.forEach((line, i) =>
      [...line].forEach((digit, j) => {
        const pixel = document.createElementNS(ns, "rect");
        const gray = Math.round(255 - 28 * Number(digit));
        const place = { x: j, y: i, width: 1.02, height: 1.02 };
        for (const [key, value] of Object.entries(place)) pixel.setAttribute(key, value);
        pixel.setAttribute("fill", `rgb(${gray},${gray},${gray})`);
        svg.append(pixel);
      }),
    );
    return h("span", {}, svg, ` class ${label} `);
  }

  const views = {
    rows(one) {
      const parts = Object.entries(one.rows);
      const keys = ["rows", "least", "mean", "most", "spread"];
      const lines = keys.map((key) => [key, ...parts.map(([, p]) => text(p[key]))]);
      for (const [, p] of parts.slice(0, 1)) {
        if (p.classes)
          lines.push([
            "rows of each class",
            ...parts.map(([, part]) => part.classes.join(" ")),
          ]);
        if (p.targets)
          lines.push(
            [
              "targets: least, mean, most, spread",
              ...parts.map(([, part]) => part.targets.map(text).join(", ")),
            ],
            [
              "column most like the target, correlation",
              ...parts.map(([, part]) => part.likest.map(text).join(", ")),
            ],
          );
      }
      const drawn = parts
        .filter(([part]) => one.pictures[part].length)
        .map(([part]) => h("p", {}, `${part}: `, ...one.pictures[part].map(picture)));
      return [kit.table(["inputs", ...parts.map(([part]) => part)], lines), ...drawn];
    },
    settings(one) {
      return [h("ol", {}, ...one.settings.map((line) => h("li", {}, h("code", {}, line))))];
    },
    batch(one) {
      const lost = one.batch === null ? "no number" : `${kit.number(100 * one.batch)}%`;
      return [
        h("p", {}, `After 300 updates on one batch of 32 rows the loss is ${lost} of that of the best constant answer.`),
      ];
    },
    curves() {
      return [];
    },
    layers(one) {
      return [
        kit.table(
          ["layer", "gradient, start", "end", "dead units, start", "end"],
          one.layers.map(([layer, ...values]) => [layer, ...values.map(text)]),
        ),
      ];
    },
    answers(one) {
      const { told, true: right, edges } = one.answers;
      const names = told.map((_, i) =>
        edges ? `${kit.number(edges[i])} to ${kit.number(edges[i + 1])}` : `class ${i}`,
      );
      return [
        kit.table(
          ["validation rows", "answers", "truth"],
          names.map((row, i) => [row, String(told[i]), String(right[i])]),
        ),
      ];
    },
    learner(one) {
      const [best, own] = one.learner;
      return [
        h("p", {}, `From 0 for a constant answer to 1 for no error, on validation rows: simple learners reach ${text(best)}, the network ${text(own)}.`),
      ];
    },
  };

  /** Draw the losses, or an empty frame. */
  function draw(one, isSeen) {
    const { loss, val_loss: validation } = one.curves;
    const all = [...loss, ...validation].filter(Number.isFinite);
    const last = loss.length;
    plot.element.hidden = !isSeen;
    plot.frame(
      { domain: [1, last], label: "epoch" },
      { domain: [0, Math.min(Math.max(...all), 5 * Math.max(...loss))], label: "loss" },
    );
    if (!isSeen) return;
    const points = (curve) =>
      curve.map((value, i) => [i + 1, value]).filter((p) => Number.isFinite(p[1]));
    plot.line("training nnp-c1", points(loss));
    plot.line("validation nnp-c2", points(validation));
    plot.words("training-name nnp-c1", [
      { x: last, y: loss[last - 1], dx: -4, dy: -8, anchor: "end", text: "training" },
    ]);
    plot.words("validation-name nnp-c2", [
      {
        x: Math.max(1, Math.round(last / 2)),
        y: Math.min(validation[Math.max(0, Math.round(last / 2) - 1)], 5 * Math.max(...loss)),
        dx: 0,
        dy: 18,
        anchor: "middle",
        text: "validation",
      },
    ]);
  }

  lab.draw(() => {
    const { patient, seen, named } = lab.state;
    const one = patients[patient - 1];
    const looks = Object.keys(LOOKS);
    const open = looks.filter((look) => seen.includes(`${patient}-${look}`));
    complaint.textContent = `Patient ${patient}: ${one.complaint}.`;
    readings.forEach((button, i) => (button.disabled = open.includes(looks[i])));
    draw(one, open.includes("curves"));
    shown.replaceChildren(
      ...open.filter((look) => look !== "curves").flatMap((look) => [
        h("p", {}, h("strong", {}, LOOKS[look])),
        ...views[look](one),
      ]),
    );
    const told = mine(patient);
    name.disabled = Boolean(told);
    const doctor = (p) => p.doctor.some(([cause]) => isRight(p, cause));
    verdict.replaceChildren();
    if (told) {
      const lines = one.doctor.map(([cause]) => words(cause)).join("; ") || "nothing";
      verdict.append(
        kit.table(
          ["who", "says", "right"],
          [
            ["you", words(told), isRight(one, told) ? "yes" : "no"],
            ["the doctor", lines, doctor(one) ? "yes" : "no"],
            ["the truth", words(one.right[0]), ""],
          ],
        ),
        h("p", {}, one.words),
      );
    }
    const right = patients.filter((p, i) => isRight(p, mine(i + 1))).length;
    const its = patients.filter((p, i) => mine(i + 1) && doctor(p)).length;
    lab.reached(
      named.length === patients.length && right >= WANTED && seen.length <= MOST,
    );
    const sum =
      `${named.length} of ${patients.length} named: you are right in ${right}, the ` +
      `doctor, with its first two, in ${its}. Readings taken: ${seen.length}.`;
    if (told)
      return `Patient ${patient}: you say ${words(told)}, which is ${isRight(one, told) ? "right" : "not it"}. ${sum}`;
    return `Patient ${patient}: ${open.length ? `${open.length} of 7 readings taken` : "take a reading; each counts"}. ${sum}`;
  });
});
