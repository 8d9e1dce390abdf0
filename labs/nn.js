// Small networks in the page: dense layers, losses and optimizers, in float64.
//
// Everything does what Keras does with the same weights and data; tests/test_labs.py
// holds it to that. A matrix is {rows, columns, values}, its values row by row. A
// network's weights are the arrays that Keras would list: kernel, bias, kernel, ….
(() => {
  "use strict";
  const nnperf = (window.nnperf = window.nnperf || {});
  const EPSILON = 1e-7; // Keras's, of the optimizers and of clipped probabilities

  // --- random numbers ---------------------------------------------------------------

  /** Return a generator that gives the same numbers for the same seed (mulberry32). */
  function random(seed) {
    let state = Math.imul(seed + 1, 0x9e3779b9) | 0;
    const uniform = () => {
      state = (state + 0x6d2b79f5) | 0;
      let t = Math.imul(state ^ (state >>> 15), 1 | state);
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
      return (((t ^ (t >>> 14)) >>> 0) + 0.5) / 4294967296; // never 0, never 1
    };
    const normal = () =>
      Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
    return { uniform, normal, integer: (n) => Math.floor(n * uniform()) };
  }

  /** Return `length` numbers, each made by a call of `draw`. */
  const fill = (length, draw) => Float64Array.from({ length }, draw);

  const matrix = (rows, columns, values) => ({
    rows,
    columns,
    values: values || new Float64Array(rows * columns),
  });

  /** Return a matrix of standard normal numbers. */
  const normals = (rows, columns, generator) =>
    matrix(rows, columns, fill(rows * columns, generator.normal));

  // --- starting weights -------------------------------------------------------------

  const VARIANCES = {
    glorot: (inputs, units) => 2 / (inputs + units),
    he: (inputs) => 2 / inputs,
    lecun: (inputs) => 1 / inputs,
  };

  /** Return a standard normal number between -2 and 2, as Keras draws its weights. */
  function truncated(generator) {
    let z;
    do z = generator.normal();
    while (Math.abs(z) > 2);
    return z / 0.87962566103423978; // its standard deviation
  }

  /**
   * Return a kernel. `start` is "zeros", "glorot_uniform", "he_normal", …, or
   * {normal: deviation}, {gain: n × variance}, {constant: value}.
   */
  function kernel(start, inputs, units, generator) {
    const size = inputs * units;
    if (start === "zeros") return new Float64Array(size);
    if (start.constant !== undefined) return fill(size, () => start.constant);
    if (start.normal !== undefined)
      return fill(size, () => start.normal * generator.normal());
    if (start.gain !== undefined)
      return fill(size, () => Math.sqrt(start.gain / inputs) * generator.normal());
    const [name, shape] = String(start).split("_");
    if (!VARIANCES[name] || !["uniform", "normal"].includes(shape))
      throw new Error(`there is no start of weights “${start}”.`);
    const deviation = Math.sqrt(VARIANCES[name](inputs, units));
    return shape === "uniform"
      ? fill(size, () => deviation * Math.sqrt(3) * (2 * generator.uniform() - 1))
      : fill(size, () => deviation * truncated(generator));
  }

  // --- activations ------------------------------------------------------------------

  const logistic = (z) =>
    z >= 0 ? 1 / (1 + Math.exp(-z)) : Math.exp(z) / (1 + Math.exp(z));

  /** Return the error function, from a series whose terms are all positive. */
  function erf(x) {
    if (Math.abs(x) > 6) return Math.sign(x);
    let term = x;
    let sum = x;
    for (let n = 1; n < 200 && Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
      term *= (2 * x * x) / (2 * n + 1);
      sum += term;
    }
    return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
  }

  const normalShare = (z) => 0.5 * (1 + erf(z / Math.SQRT2));
  const normalDensity = (z) => Math.exp(-0.5 * z * z) / Math.sqrt(2 * Math.PI);
  const SELU = { scale: 1.0507009873554805, alpha: 1.6732632423543772 };

  /** Each has its value at z, and its slope at z, where it takes the value a. */
  const ACTIVATIONS = {
    linear: [(z) => z, () => 1],
    relu: [(z) => Math.max(z, 0), (z) => (z > 0 ? 1 : 0)],
    leaky_relu: [(z) => (z > 0 ? z : 0.2 * z), (z) => (z > 0 ? 1 : 0.2)],
    elu: [(z) => (z > 0 ? z : Math.expm1(z)), (z, a) => (z > 0 ? 1 : a + 1)],
    selu: [
      (z) => SELU.scale * (z > 0 ? z : SELU.alpha * Math.expm1(z)),
      (z, a) => (z > 0 ? SELU.scale : a + SELU.scale * SELU.alpha),
    ],
    sigmoid: [logistic, (z, a) => a * (1 - a)],
    tanh: [Math.tanh, (z, a) => 1 - a * a],
    gelu: [(z) => z * normalShare(z), (z) => normalShare(z) + z * normalDensity(z)],
    swish: [(z) => z * logistic(z), (z, a) => logistic(z) + a * (1 - logistic(z))],
  };

  /** Return the activation of each number of z; softmax works row by row. */
  function activate(name, z) {
    if (name !== "softmax") {
      if (!ACTIVATIONS[name]) throw new Error(`there is no activation “${name}”.`);
      return matrix(z.rows, z.columns, z.values.map(ACTIVATIONS[name][0]));
    }
    const out = matrix(z.rows, z.columns);
    for (let r = 0; r < z.rows; r++) {
      const row = z.values.subarray(r * z.columns, (r + 1) * z.columns);
      const largest = Math.max(...row);
      const powers = row.map((value) => Math.exp(value - largest));
      const sum = powers.reduce((a, b) => a + b);
      out.values.set(
        powers.map((power) => power / sum),
        r * z.columns,
      );
    }
    return out;
  }

  /** Return the gradient at z, given the one at a = activation(z). */
  function activateBack(name, z, a, gradient) {
    const out = matrix(z.rows, z.columns);
    if (name !== "softmax") {
      const slope = ACTIVATIONS[name][1];
      for (let i = 0; i < out.values.length; i++)
        out.values[i] = gradient.values[i] * slope(z.values[i], a.values[i]);
      return out;
    }
    for (let from = 0; from < out.values.length; from += z.columns) {
      let mean = 0;
      for (let i = from; i < from + z.columns; i++)
        mean += a.values[i] * gradient.values[i];
      for (let i = from; i < from + z.columns; i++)
        out.values[i] = a.values[i] * (gradient.values[i] - mean);
    }
    return out;
  }

  // --- losses -----------------------------------------------------------------------

  const clip = (p) => Math.min(Math.max(p, EPSILON), 1 - EPSILON);
  const inside = (p) => (p >= EPSILON && p <= 1 - EPSILON ? 1 : 0);

  /**
   * Each returns a batch's mean loss and its gradient at the output. The two
   * cross-entropies read probabilities and clip them, as Keras does; beyond the clip
   * there is no slope. Those of logits read what stands before sigmoid or softmax.
   */
  const LOSSES = {
    mse: (p, y) => [(p - y) ** 2, 2 * (p - y)],
    binary_crossentropy(p, y) {
      const q = clip(p);
      return [
        -y * Math.log(q) - (1 - y) * Math.log(1 - q),
        inside(p) * ((1 - y) / (1 - q) - y / q),
      ];
    },
    binary_crossentropy_from_logits: (z, y) => [
      Math.max(z, 0) - z * y + Math.log1p(Math.exp(-Math.abs(z))),
      logistic(z) - y,
    ],
  };

  /** Return the mean loss {value, gradient}; y holds class numbers for the sparse ones. */
  function loss(name, output, y) {
    const sparse = name.startsWith("sparse_categorical_crossentropy");
    if (!sparse && !LOSSES[name]) throw new Error(`there is no loss “${name}”.`);
    const wanted = sparse ? output.rows : output.values.length;
    if (y.length !== wanted)
      throw new Error(`${name} needs ${wanted} labels; got ${y.length}.`);
    const gradient = matrix(output.rows, output.columns);
    let value = 0;
    if (!sparse) {
      output.values.forEach((p, i) => {
        const [one, slope] = LOSSES[name](p, y[i]);
        value += one / wanted;
        gradient.values[i] = slope / wanted;
      });
      return { value, gradient };
    }
    const logits = name.endsWith("_from_logits");
    for (let r = 0; r < output.rows; r++) {
      const row = output.values.subarray(r * output.columns, (r + 1) * output.columns);
      const shown = logits
        ? activate("softmax", matrix(1, row.length, row)).values
        : row;
      // Keras takes the softmax of the clipped probabilities' logarithms
      const clipped = logits ? shown : shown.map(clip);
      const sum = clipped.reduce((a, b) => a + b);
      value += (Math.log(sum) - Math.log(clipped[y[r]])) / output.rows;
      row.forEach((p, c) => {
        const own = c === y[r] ? 1 : 0;
        gradient.values[r * output.columns + c] =
          (logits ? shown[c] - own : inside(p) * (1 / sum - own / clipped[c])) /
          output.rows;
      });
    }
    return { value, gradient };
  }

  // --- networks ---------------------------------------------------------------------

  /** Return x · w + b. */
  function dense(x, w, b, units) {
    const out = matrix(x.rows, units);
    for (let r = 0; r < x.rows; r++) {
      const row = out.values.subarray(r * units, (r + 1) * units);
      row.set(b);
      for (let i = 0; i < x.columns; i++) {
        const value = x.values[r * x.columns + i];
        if (value === 0) continue;
        const from = i * units;
        for (let j = 0; j < units; j++) row[j] += value * w[from + j];
      }
    }
    return out;
  }

  /** Return the gradients of dense: at x, w and b, given the one at its output. */
  function denseBack(x, w, gradient) {
    const units = gradient.columns;
    const back = matrix(x.rows, x.columns);
    const kernelGradient = new Float64Array(w.length);
    const biasGradient = new Float64Array(units);
    for (let r = 0; r < x.rows; r++) {
      const g = gradient.values.subarray(r * units, (r + 1) * units);
      for (let j = 0; j < units; j++) biasGradient[j] += g[j];
      for (let i = 0; i < x.columns; i++) {
        const value = x.values[r * x.columns + i];
        const from = i * units;
        let sum = 0;
        for (let j = 0; j < units; j++) {
          kernelGradient[from + j] += value * g[j];
          sum += w[from + j] * g[j];
        }
        back.values[r * x.columns + i] = sum;
      }
    }
    return { back, kernelGradient, biasGradient };
  }

  /**
   * Return a network: {inputs, layers, weights}.
   *
   * Each layer is {units, activation = "linear", start = "glorot_uniform", skip =
   * false}. With skip the layer's input is added to what its activation puts out.
   */
  function network(inputs, layers, seed = 0) {
    const generator = random(seed);
    const weights = [];
    let width = inputs;
    const checked = layers.map((layer) => {
      const full = { activation: "linear", start: "glorot_uniform", ...layer };
      if (full.skip && full.units !== width)
        throw new Error(
          `skip adds a layer's input, so ${full.units} units need as many inputs; ` +
            `got ${width}.`,
        );
      weights.push(kernel(full.start, width, full.units, generator));
      weights.push(new Float64Array(full.units));
      width = full.units;
      return full;
    });
    return { inputs, layers: checked, weights };
  }

  /** Return what passes through a network: each layer's input x, sum z, activation a. */
  function forward(net, x) {
    if (x.columns !== net.inputs)
      throw new Error(`the network has ${net.inputs} inputs; got ${x.columns}.`);
    const passed = [];
    let output = x;
    net.layers.forEach((layer, l) => {
      const z = dense(output, net.weights[2 * l], net.weights[2 * l + 1], layer.units);
      const a = activate(layer.activation, z);
      passed.push({ x: output, z, a });
      output = layer.skip
        ? matrix(
            a.rows,
            a.columns,
            a.values.map((v, i) => v + passed[l].x.values[i]),
          )
        : a;
    });
    return { passed, output };
  }

  /**
   * Return the gradients of all weights, given the gradient at a network's output;
   * `at[l]` is the gradient at the sums z of layer l, `input` the one at the input.
   */
  function backward(net, { passed }, gradient) {
    const gradients = [];
    const at = [];
    let back = gradient;
    for (let l = net.layers.length - 1; l >= 0; l--) {
      const { x, z, a } = passed[l];
      at[l] = activateBack(net.layers[l].activation, z, a, back);
      const step = denseBack(x, net.weights[2 * l], at[l]);
      if (net.layers[l].skip)
        step.back.values.forEach((value, i, all) => {
          all[i] = value + back.values[i];
        });
      gradients[2 * l] = step.kernelGradient;
      gradients[2 * l + 1] = step.biasGradient;
      back = step.back;
    }
    return { gradients, at, input: back };
  }

  /** Return the mean loss over a batch, the gradients, and all that backward returns. */
  function gradient(net, lossName, x, y) {
    const pass = forward(net, x);
    const { value, gradient: atOutput } = loss(lossName, pass.output, y);
    return { loss: value, ...pass, ...backward(net, pass, atOutput) };
  }

  // --- optimizers -------------------------------------------------------------------

  const norm = (values) => Math.sqrt(values.reduce((sum, v) => sum + v * v, 0));
  const rms = (values) => norm(values) / Math.sqrt(values.length);

  /** Return gradients as Keras clips them: {clipvalue}, {clipnorm}, {global_clipnorm}. */
  function clipped(gradients, { clipvalue, clipnorm, global_clipnorm: all }) {
    const shorten = (g, length, most) =>
      length > most ? g.map((v) => (v * most) / length) : g;
    if (clipnorm) return gradients.map((g) => shorten(g, norm(g), clipnorm));
    if (all) {
      const length = norm(gradients.map(norm));
      return gradients.map((g) => shorten(g, length, all));
    }
    if (clipvalue)
      return gradients.map((g) =>
        g.map((v) => Math.min(Math.max(v, -clipvalue), clipvalue)),
      );
    return gradients;
  }

  const ADAM = { learning_rate: 0.001, beta_1: 0.9, beta_2: 0.999, epsilon: EPSILON };

  /** Each has Keras's defaults, and the update of one number: w, g, state, index. */
  const OPTIMIZERS = {
    sgd: {
      defaults: { learning_rate: 0.01, momentum: 0, nesterov: false },
      slots: 1,
      update(w, g, [m], i, o) {
        m[i] = o.momentum * m[i] - o.learning_rate * g;
        return o.nesterov ? w + o.momentum * m[i] - o.learning_rate * g : w + m[i];
      },
    },
    adagrad: {
      defaults: {
        learning_rate: 0.001,
        initial_accumulator_value: 0.1,
        epsilon: EPSILON,
      },
      slots: 1,
      update(w, g, [sum], i, o, t) {
        sum[i] = (t === 1 ? o.initial_accumulator_value : sum[i]) + g * g;
        return w - (o.learning_rate * g) / Math.sqrt(sum[i] + o.epsilon);
      },
    },
    rmsprop: {
      defaults: { learning_rate: 0.001, rho: 0.9, momentum: 0, epsilon: EPSILON },
      slots: 2,
      update(w, g, [mean, m], i, o) {
        mean[i] = o.rho * mean[i] + (1 - o.rho) * g * g;
        const step = (o.learning_rate * g) / Math.sqrt(mean[i] + o.epsilon);
        m[i] = o.momentum * m[i] + step;
        return w - m[i];
      },
    },
    adam: {
      defaults: ADAM,
      slots: 2,
      update(w, g, [m, v], i, o, t) {
        m[i] += (g - m[i]) * (1 - o.beta_1);
        v[i] += (g * g - v[i]) * (1 - o.beta_2);
        const rate =
          (o.learning_rate * Math.sqrt(1 - o.beta_2 ** t)) / (1 - o.beta_1 ** t);
        return w - (m[i] * rate) / (Math.sqrt(v[i]) + o.epsilon);
      },
    },
  };
  OPTIMIZERS.adamw = {
    ...OPTIMIZERS.adam,
    defaults: { ...ADAM, weight_decay: 0.004 },
    update: (w, g, slots, i, o, t) =>
      OPTIMIZERS.adam.update(
        w - w * o.weight_decay * o.learning_rate,
        g,
        slots,
        i,
        o,
        t,
      ),
  };

  // the direction only: how long a step is follows from the norms of the whole array
  OPTIMIZERS.lamb = {
    defaults: ADAM,
    slots: 2,
    direction(g, [m, v], i, o, t) {
      m[i] += (g - m[i]) * (1 - o.beta_1);
      v[i] += (g * g - v[i]) * (1 - o.beta_2);
      const size = Math.sqrt(v[i] / (1 - o.beta_2 ** t)) + o.epsilon;
      return m[i] / (1 - o.beta_1 ** t) / size;
    },
  };

  /**
   * Return an optimizer: `step(weights, gradients)` changes weights in place. `options`
   * are named as in Keras, clipping too.
   */
  function optimizer(name, options = {}) {
    const kind = OPTIMIZERS[name];
    if (!kind) throw new Error(`there is no optimizer “${name}”.`);
    const settings = { ...kind.defaults, ...options };
    let slots = null;
    let time = 0;
    return {
      settings,
      step(weights, gradients) {
        slots =
          slots ||
          weights.map((w) =>
            Array.from({ length: kind.slots }, () => new Float64Array(w.length)),
          );
        time += 1;
        clipped(gradients, settings).forEach((g, k) => {
          const w = weights[k];
          if (kind.direction) {
            const step = w.map((_, i) =>
              kind.direction(g[i], slots[k], i, settings, time),
            );
            const [long, own] = [norm(w), norm(step)];
            const ratio = long > 0 && own > 0 ? long / own : 1;
            for (let i = 0; i < w.length; i++)
              w[i] -= ratio * settings.learning_rate * step[i];
            return;
          }
          for (let i = 0; i < w.length; i++)
            w[i] = kind.update(w[i], g[i], slots[k], i, settings, time);
        });
      },
    };
  }

  nnperf.nn = {
    activate,
    activateBack,
    ACTIVATIONS,
    backward,
    clipped,
    fill,
    forward,
    gradient,
    kernel,
    loss,
    matrix,
    network,
    norm,
    normals,
    optimizer,
    random,
    rms,
  };
})();
