// title: Round the weights
// goal: find the setting with the fewest bytes that loses at most two points of accuracy.
// takeaway: A few bits are enough, since rounding errors average out in a sum; taking weights out saves less than it seems, as you have to store which ones are left.
// uses: d3
// values: sizes, weights, rows, scale, labels
nnperf.lab("round_weights", (lab) => {
  const { kit } = nnperf;
  const [inputs, units, classes] = lab.data.sizes;
  const raw = (text) => Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
  const all = new Float32Array(raw(lab.data.weights).buffer);
  const pixels = new Int8Array(raw(lab.data.rows).buffer);
  const labels = raw(lab.data.labels);
  const cuts = [inputs * units, units, units * classes, classes];
  const parts = cuts.map((size, i) => {
    const start = cuts.slice(0, i).reduce((sum, one) => sum + one, 0);
    return all.subarray(start, start + size);
  });
  const [first, bias, second, last] = parts;
  const BITS = [32, 8, 7, 6, 5, 4, 3, 2];
  const SHARES = Array.from({ length: 20 }, (_, i) => (5 * i) / 100);
  const LOSS = 0.02;

  /** Take out the smallest weights of a kernel and round the rest, a scale a column. */
  function changed(kernel, columns, bits, share) {
    const sizes = Array.from(kernel, Math.abs).sort((a, b) => a - b);
    const out = Math.round(share * kernel.length);
    const least = out ? sizes[out - 1] : -1;
    const kept = kernel.map((w) => (Math.abs(w) > least ? w : 0));
    if (bits === 32) return kept;
    const most = 2 ** (bits - 1) - 1;
    const peak = new Float32Array(columns);
    kept.forEach((w, i) => {
      peak[i % columns] = Math.max(peak[i % columns], Math.abs(w));
    });
    return kept.map((w, i) => {
      const step = peak[i % columns] / most;
      return step ? Math.round(w / step) * step : 0;
    });
  }

  /** Return the bytes of both kernels: the weights left, which they are, the scales. */
  function bytes(bits, share) {
    const count = first.length + second.length;
    const left = [first, second]
      .map((kernel) => kernel.length - Math.round(share * kernel.length))
      .reduce((sum, one) => sum + one, 0);
    const scales = bits === 32 ? 0 : 4 * (units + classes);
    return (left * bits) / 8 + (share ? count / 8 : 0) + scales;
  }

  /** Return the share of the examples that the network names right. */
  function accuracy(one, other) {
    let right = 0;
    const hidden = new Float64Array(units);
    for (let row = 0; row < labels.length; row++) {
      hidden.set(bias);
      for (let i = 0; i < inputs; i++) {
        const x = pixels[row * inputs + i] * lab.data.scale;
        for (let j = 0; j < units; j++) hidden[j] += x * one[i * units + j];
      }
      let best = 0;
      let top = -Infinity;
      for (let k = 0; k < classes; k++) {
        let z = last[k];
        for (let j = 0; j < units; j++)
          if (hidden[j] > 0) z += hidden[j] * other[j * classes + k];
        if (z > top) [top, best] = [z, k];
      }
      right += best === labels[row];
    }
    return right / labels.length;
  }

  const scores = new Map();
  /** Return what a setting comes to; each is computed once. */
  function told(bits, share) {
    const key = `${bits} ${share}`;
    if (!scores.has(key)) {
      const one = changed(first, units, bits, share);
      const other = changed(second, classes, bits, share);
      scores.set(key, { one, accuracy: accuracy(one, other), bytes: bytes(bits, share) });
    }
    return scores.get(key);
  }

  const whole = told(32, 0);
  let fewest;
  /** Return the fewest bytes that lose at most what is allowed. */
  function best() {
    if (fewest === undefined) {
      const settings = BITS.flatMap((bits) => SHARES.map((share) => [bits, share]));
      settings.sort((a, b) => bytes(...a) - bytes(...b));
      // the first that is good enough has the fewest
      const found = settings.find(
        (one) => told(...one).accuracy >= whole.accuracy - LOSS - 1e-9,
      );
      fewest = bytes(...found);
    }
    return fewest;
  }

  lab.slider("bits", { label: "Bits of a weight", values: BITS, start: 32 });
  lab.slider("share", {
    label: "Weights taken out",
    values: SHARES,
    start: 0,
    format: (share) => `${Math.round(100 * share)}%`,
  });
  const plot = lab.plot({ height: 220 });
  const table = lab.add(kit.h("div"));
  const peak = Math.max(...Array.from(first, Math.abs));
  const BINS = 101;

  /** Return bars of how many weights have which value. */
  function bars(kernel) {
    const counts = new Float64Array(BINS);
    for (const w of kernel)
      counts[Math.min(BINS - 1, Math.floor(((w + peak) / (2 * peak)) * BINS))] += 1;
    const width = (2 * peak) / BINS;
    return [...counts]
      .map((count, i) => [-peak + i * width, -peak + (i + 1) * width, 0, count])
      .filter((bar) => bar[3]);
  }

  const percent = (value) => `${(100 * value).toFixed(1)}%`;
  lab.draw(() => {
    const { bits, share } = lab.state;
    const now = told(bits, share);
    const drawn = bars(now.one);
    const most = Math.max(...bars(first).map((bar) => bar[3]));
    plot.frame(
      { domain: [-peak, peak], label: "weight of the first layer" },
      { domain: [0, 2 * most], label: "how many" },
    );
    const inside = plot.inside();
    plot.boxes("weights nnp-bar nnp-c1", drawn).attr("clip-path", inside);
    const lost = whole.accuracy - now.accuracy;
    const saved = now.bytes / whole.bytes;
    table.replaceChildren(
      kit.table(
        ["network", "bytes", "of all", "accuracy"],
        [
          ["as trained", Math.round(whole.bytes), "100%", percent(whole.accuracy)],
          ["yours", Math.round(now.bytes), percent(saved), percent(now.accuracy)],
        ],
      ),
    );
    const good = lost <= LOSS + 1e-9;
    lab.reached(good && (bits < 32 || share > 0) && now.bytes <= best() + 1e-9);
    const points = Math.abs(100 * lost).toFixed(1);
    return (
      `${bits} bits, ${Math.round(100 * share)}% of the weights taken out: ` +
      `${Math.round(now.bytes)} bytes, ${percent(saved)} of all. ` +
      `Accuracy ${percent(now.accuracy)}, ` +
      (lost > 1e-9 ? `${points} points lost` : lost < -1e-9 ? `${points} points won` : "none lost") +
      (good ? "." : ": more than two.")
    );
  });
});
