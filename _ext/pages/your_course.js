// The page “Your course”: what this device keeps, beside what the course holds. Nothing
// leaves the device but a file that the reader asks for.
document.addEventListener("DOMContentLoaded", () => {
  "use strict";
  const { kit } = nnperf;
  const { h, rich, number, button, store } = kit;
  const read = document.querySelector(".course-data");
  if (!read) return;
  const { chapters: CHAPTERS, others: OTHERS } = JSON.parse(read.textContent);
  const ITEMS = CHAPTERS.flatMap((chapter) =>
    chapter.items.map((item) => ({ ...item, chapter })),
  );
  const DAY = 24 * 60 * 60 * 1000;
  // a miss comes back the next day, what was right a month later
  const AGAIN = { miss: DAY, right: 30 * DAY, guesses: 7 * DAY };
  const FAR = 2; // a number that is off by more than this factor is a miss
  const FEW = 10; // so few choices fit almost any certainty
  const SURE = [40, 60, 80, 95];
  const FILE = "your-course.json";

  const place = (part) => document.querySelector(`[data-part="${part}"]`);
  const fill = (part, ...children) => place(part).replaceChildren(...children);
  const p = (...children) => h("p", {}, ...children);
  const time = (text) => (typeof text === "string" ? Date.parse(text) : NaN);
  const median = (values) => kit.quantile(values, 0.5);
  const count = (n, one, many = `${one}s`) => `${n} ${n === 1 ? one : many}`;
  const anchor = ({ kind, id, chapter }) => `${chapter.page}#${kind}-${id}`;
  const title = ({ number: place_, title }) => `${place_} · ${title}`;

  // --- what an answer was worth -------------------------------------------------------

  const PARTS = { predict: "predictions", quiz: "quizzes", lab: "labs" };
  const NOT_YET = {
    predict: "no guess yet",
    quiz: "not answered yet",
    lab: "not reached yet",
  };

  /** Return what is kept of an item if it fits the item, else null. */
  function record(item, all) {
    const found = all[PARTS[item.kind]][item.id];
    if (!store.isRecord(found)) return null;
    if (item.kind === "lab") return found;
    if (item.kind === "quiz")
      return Number.isInteger(found.said) && found.said >= 0 && found.said < item.answers
        ? found
        : null;
    const fits = found.kind === item.type && kit.predictions[item.type].sound(item, found);
    return fits ? found : null;
  }

  /** By which factor one number is off another; null where that says nothing. */
  function factor(said, measured) {
    if (!(said > 0 && measured > 0)) return null;
    return Math.max(said / measured, measured / said);
  }

  /** Return {right, factor}: what of the two there is depends on the question. */
  function judged(item, found) {
    if (item.kind === "quiz") return { right: found.said === item.right };
    if (item.kind !== "predict" || item.measured === undefined) return {};
    if (item.type === "options") return { right: found.said === item.measured };
    const pairs =
      item.type === "value"
        ? [[found.said, item.measured]]
        : item.measured.map((y, i) => [found.said[i], y]);
    const factors = pairs.map(([said, y]) => factor(said, y)).filter((f) => f !== null);
    return factors.length ? { factor: median(factors) } : {};
  }

  const isMiss = ({ right, factor: off }) => right === false || off > FAR;
  const times = (off) => (off < 10 ? off.toFixed(off < 2 ? 2 : 1) : number(off));

  /** Return in words what an answer was worth. */
  function told(item, found) {
    if (!found) return NOT_YET[item.kind];
    if (item.kind === "lab") return "✓\u00a0goal reached";
    const { right, factor: off } = judged(item, found);
    if (item.kind === "quiz") return right ? "✓\u00a0right" : "✗\u00a0not right";
    const said = rich(kit.predictions[item.type].words(item, found.said), "strong");
    const words = h("span", {}, "you said ", said);
    if (found.sure) words.append(`, ${found.sure}% sure`);
    if (item.words === undefined) return words;
    words.append("; measured ", rich(item.words, "strong"));
    if (right !== undefined) words.append(right ? " ✓" : " ✗");
    else if (off) words.append(` (off by a factor of ${times(off)})`);
    return words;
  }

  // --- the parts ------------------------------------------------------------------------

  function showSummary(all) {
    const has = (kind) => ITEMS.filter((item) => item.kind === kind);
    const done = (list) => list.filter((item) => record(item, all)).length;
    const finished = CHAPTERS.filter(({ name }) => nnperf.progress(name, all).finished);
    const exercises = ITEMS.filter((item) => item.exercise);
    const line = (label, n, of) =>
      of ? [h("li", {}, h("span", {}, h("b", {}, String(n)), ` of ${of}`), label)] : [];
    fill(
      "summary",
      h(
        "ul",
        { class: "course-counts" },
        ...line("chapters finished", finished.length, CHAPTERS.length),
        ...line("predictions made", done(has("predict")), has("predict").length),
        ...line("quiz questions answered", done(has("quiz")), has("quiz").length),
        ...line("labs reached", done(has("lab")), has("lab").length),
        ...line("exercises done in the page", done(exercises), exercises.length),
      ),
      ...(damaged() ? [p(damaged())] : []),
    );
  }

  /** Say what is wrong with what the device keeps, if anything is. */
  function damaged() {
    let found;
    try {
      found = localStorage.getItem(store.KEY);
    } catch {
      return "This browser keeps nothing on this device: what you do goes with the page.";
    }
    try {
      const all = JSON.parse(found);
      const sound = store.isRecord(all) && all.version === store.VERSION;
      if (found === null || sound) return "";
    } catch {
      // told below
    }
    return "What this device had kept cannot be read: your next answer begins anew.";
  }

  /** Return what was guessed, each with its question and what it was worth. */
  const guesses = (all) =>
    ITEMS.filter((item) => item.kind === "predict")
      .map((item) => ({ item, found: record(item, all) }))
      .filter(({ found }) => found)
      .map(({ item, found }) => ({ item, ...found, ...judged(item, found) }));

  /** Return what is to be done again, the most urgent first. */
  function toRepeat(all) {
    const due = [];
    for (const item of ITEMS) {
      const found = record(item, all);
      if (item.kind !== "quiz" || !found) continue;
      const { right } = judged(item, found);
      const at = time(found.at) + (right ? AGAIN.right : AGAIN.miss);
      const why = right ? "right a month ago: is it still?" : "answered wrong";
      due.push({ item, right, why, at });
    }
    for (const chapter of CHAPTERS) {
      const worth = guesses(all).filter(({ item }) => item.chapter === chapter);
      const misses = worth.filter((one) => isMiss(one) && !(one.sure < 60));
      if (misses.length && misses.length >= worth.length / 2) {
        const last = Math.max(...worth.map((one) => time(one.at) || 0));
        const of = count(worth.length, "guess", "guesses");
        const why = `${misses.length} of ${of} far off: read once more what was measured`;
        due.push({ chapter, why, at: last + AGAIN.guesses });
      }
    }
    // a time that cannot be read is long ago
    return due
      .map((one) => ({ ...one, at: one.at || 0 }))
      .sort((a, b) => a.at - b.at);
  }

  function showRepeat(all) {
    const now = Date.now();
    const list = toRepeat(all);
    const due = list.filter(({ at }) => at <= now);
    const line = ({ item, chapter, why, at }) => {
      const link = item
        ? h("a", { href: anchor(item) }, rich(item.text))
        : h("a", { href: chapter.page }, title(chapter));
      const day = new Date(at).toLocaleDateString("en", { day: "numeric", month: "long" });
      const when = at > now ? `, from ${day} on` : "";
      const where = item ? `${item.chapter.number} · ` : "";
      return h("li", {}, where, link, h("span", { class: "course-why" }, ` ${why}${when}`));
    };
    const parts = [];
    if (due.length) parts.push(h("ul", {}, ...due.map(line)));
    else if (list.length) parts.push(p("Nothing is due today."));
    else parts.push(p("Nothing yet: this fills as you answer quizzes and guess."));
    // what was right and is far off says nothing today
    const later = list.filter(({ at, right }) => at > now && !right);
    if (later.length)
      parts.push(
        h(
          "details",
          {},
          h("summary", {}, `${later.length} to come`),
          h("ul", {}, ...later.map(line)),
        ),
      );
    fill("repeat", ...parts);
  }

  /** Return the 95% interval of a share by Wilson. */
  function wilson(hits, n) {
    const z = 1.96;
    const share = hits / n;
    const middle = (share + (z * z) / (2 * n)) / (1 + (z * z) / n);
    const half =
      (z / (1 + (z * z) / n)) *
      Math.sqrt((share * (1 - share)) / n + (z * z) / (4 * n * n));
    return [Math.max(0, middle - half), Math.min(1, middle + half)];
  }

  const percent = (share) => `${Math.round(100 * share)}%`;

  function showCalibration(all) {
    const worth = guesses(all);
    const choices = worth.filter(({ right }) => right !== undefined);
    const numbers = worth.filter(({ factor: off }) => off !== undefined);
    const parts = [];
    if (!choices.length && !numbers.length)
      parts.push(p("Nothing yet: this fills as you guess where a chapter asks you to."));
    if (choices.length) parts.push(...calibration(choices));
    if (numbers.length) parts.push(...distances(numbers));
    fill("calibration", ...parts);
    for (const draw of place("calibration").querySelectorAll(".nnp-plot")) draw.redraw();
  }

  /** Return the share right against how sure the reader was. */
  function calibration(choices) {
    const hits = choices.filter(({ right }) => right).length;
    const sure = choices.reduce((sum, one) => sum + (Number(one.sure) || 0), 0);
    const mean = sure / choices.length / 100;
    const [low, high] = wilson(hits, choices.length);
    const verdict =
      mean > high
        ? "You are surer than you are right."
        : mean < low
          ? "You know more than you trust yourself to."
          : choices.length < FEW
            ? "So few cannot tell more."
            : "Your certainty fits.";
    const levels = SURE.map((level) => {
      const those = choices.filter((one) => one.sure === level);
      const right = those.filter((one) => one.right).length;
      return { level, at: level / 100, n: those.length, right, share: right / those.length };
    }).filter(({ n }) => n);
    const plot = new kit.Plot({ height: 240 });
    const summary = levels
      .map(({ level, n, right }) => `of ${n} at ${level}%, ${right} right`)
      .join("; ");
    const axis = (domain, label, ticks) => ({ domain, label, ticks, format: percent });
    plot.element.redraw = () => {
      plot.frame(
        axis([0.3, 1], "how sure you were", [0.4, 0.6, 0.8, 0.95]),
        axis([0, 1], "share right, with its 95% interval", [0, 0.25, 0.5, 0.75, 1]),
      );
      plot.segments("even nnp-muted nnp-dashed", [[0.3, 0.3, 1, 1]]);
      plot.segments(
        "spread nnp-c1",
        levels.map(({ at, n, right }) => {
          const [from, to] = wilson(right, n);
          return [at, from, at, to];
        }),
      );
      plot.dots(
        "share nnp-c1",
        levels.map(({ at, share }) => [at, share]),
        6,
      );
      plot.words(
        "counts",
        levels.map(({ at, n, right, share }) => {
          const text = `${right} of ${n}`;
          return { x: at, y: share, dx: -10, dy: 4, anchor: "end", text };
        }),
      );
      plot.finish(`Share right against how sure: ${summary}.`);
    };
    const one = hits === 1;
    return [
      p(
        `Of ${count(choices.length, "choice")}, ${hits} ${one ? "was" : "were"} right; ` +
          `on average you were ${percent(mean)} sure. The 95% interval of your share ` +
          `is ${percent(low)} to ${percent(high)}. ${verdict}`,
      ),
      plot.element,
      h("p", { class: "nnp-caption" }, "On the dashed line as many are right as you say."),
    ];
  }

  /** Return by which factors the reader's numbers are off. */
  function distances(numbers) {
    const off = numbers.map(({ factor: one }) => one);
    const near = off.filter((one) => one <= FAR).length;
    return [
      p(
        `Of ${count(numbers.length, "number or curve", "numbers and curves")}, ` +
          `${near} ${near === 1 ? "is" : "are"} within a factor of ${FAR}. The one in ` +
          `the middle is off by a factor of ${times(median(off))}.`,
      ),
      kit.table(
        ["Question", "You said", "Measured", "Off by a factor of"],
        numbers.map((one) => [
          rich(one.item.text),
          rich(kit.predictions[one.item.type].words(one.item, one.said)),
          rich(one.item.words),
          times(one.factor),
        ]),
      ),
    ];
  }

  function showChapters(all) {
    const boxes = [...place("chapters").querySelectorAll("details[open]")];
    const open = new Set(boxes.map(({ dataset }) => dataset.name));
    const KINDS = { predict: "Predict", quiz: "Quiz", lab: "Lab" };
    fill(
      "chapters",
      ...CHAPTERS.map((chapter) => {
        const { done, of, read: marked, finished } = nnperf.progress(chapter.name, all);
        const lines = ITEMS.filter((item) => item.chapter === chapter).map((item) =>
          h(
            "li",
            {},
            h(
              "span",
              { class: "nnp-kind" },
              (item.exercise ? "Exercise: " : "") + KINDS[item.kind],
            ),
            h("a", { href: anchor(item) }, rich(item.text)),
            h("span", { class: "course-why" }, " ", told(item, record(item, all))),
          ),
        );
        const tick = nnperf.tick(chapter.name, all) || "";
        const state = finished ? "finished" : done ? `${done} of ${of} done` : "not begun";
        const box = h(
          "details",
          {},
          h(
            "summary",
            {},
            h("b", {}, title(chapter)),
            " ",
            tick,
            h("span", { class: "course-why" }, ` ${state}`),
          ),
          p(
            h("a", { href: chapter.page }, "Open the chapter"),
            marked ? ". You have marked it as read." : ". Not marked as read.",
          ),
          h("ul", {}, ...lines),
        );
        box.dataset.name = chapter.name;
        box.open = open.has(chapter.name);
        return box;
      }),
    );
  }

  // --- keep, take along, forget ---------------------------------------------------------

  const message = h("p", { class: "course-message", role: "status" });
  const say = (text) => (message.textContent = text);

  function exported() {
    const all = { ...store.read(), exported: new Date().toISOString() };
    const file = new Blob([JSON.stringify(all, null, 1)], { type: "application/json" });
    const link = h("a", { href: URL.createObjectURL(file), download: FILE });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    say(`All of it is in the file ${FILE}.`);
  }

  /** Return what a file holds, or throw an error that says in a sentence why it cannot. */
  function parsed(name, text) {
    let all;
    try {
      all = JSON.parse(text);
    } catch {
      throw new Error(`${name} is damaged, or no export of this page: it is not JSON.`);
    }
    if (!store.isRecord(all) || !store.PARTS.some((part) => store.isRecord(all[part])))
      throw new Error(`${name} is no export of this page.`);
    if (all.version !== store.VERSION)
      throw new Error(
        `${name} has version ${String(all.version).slice(0, 20)}, ` +
          `and this page reads version ${store.VERSION}.`,
      );
    return all;
  }

  /** Return what of a file fits this course, and how many of its entries do not. */
  function fitting(all) {
    const sound = Object.fromEntries(store.PARTS.map((part) => [part, {}]));
    for (const item of [...ITEMS, ...OTHERS]) {
      const part = PARTS[item.kind];
      const within = { ...sound, [part]: store.isRecord(all[part]) ? all[part] : {} };
      const found = Object.hasOwn(within[part], item.id) && record(item, within);
      if (found) sound[part][item.id] = found;
    }
    for (const { name } of CHAPTERS) {
      const found = store.isRecord(all.chapters) && all.chapters[name];
      if (store.isRecord(found) && time(found.read)) sound.chapters[name] = found;
    }
    const all_ = store.PARTS.flatMap((part) =>
      Object.entries(store.isRecord(all[part]) ? all[part] : {}),
    ).filter(([, one]) => !isOrderAlone(one));
    const kept = store.PARTS.reduce((n, part) => n + Object.keys(sound[part]).length, 0);
    return { sound, kept, left: all_.length - kept };
  }

  // a quiz that was seen and not answered holds its order alone
  const isOrderAlone = (one) =>
    store.isRecord(one) && "order" in one && !("said" in one);

  async function imported(input) {
    const [file] = input.files;
    if (!file) return;
    try {
      if (file.size > 1e6)
        throw new Error(`${file.name} is too large for an export of this page.`);
      const { sound, kept, left } = fitting(parsed(file.name, await file.text()));
      const all = store.read();
      // what the device has keeps its place unless the file has the same
      for (const part of store.PARTS) Object.assign(all[part], sound[part]);
      store.replace(all);
      const were = (n) => (n === 1 ? "was" : "were");
      const rest = `${count(left, "other")} did not fit this course, and ${were(left)} left out.`;
      say(
        `${count(kept, "entry", "entries")} ${were(kept)} taken over from ${file.name}.` +
          (left ? ` ${rest}` : ""),
      );
    } catch (error) {
      say(`${error.message} Nothing was changed.`);
    }
    input.value = "";
  }

  function mountKeep() {
    const input = h("input", {
      type: "file",
      accept: ".json,application/json",
      change: () => imported(input),
    });
    const sure = h(
      "p",
      { class: "nnp-buttons", hidden: true },
      h("span", {}, "This cannot be undone. "),
      button("Forget all of it", () => {
        store.replace(null);
        ask(false);
        say("This device has forgotten all of it.");
      }),
      button("Keep it", () => ask(false)),
    );
    const forget = button("Forget …", () => ask(true), { "aria-expanded": "false" });
    const ask = (isOpen) => {
      sure.hidden = !isOpen;
      forget.setAttribute("aria-expanded", String(isOpen));
      (isOpen ? sure.querySelector("button:last-child") : forget).focus();
    };
    fill(
      "keep",
      h(
        "div",
        { class: "nnp-buttons" },
        button("Write it to a file", exported),
        forget,
      ),
      sure,
      h("p", {}, h("label", {}, "Read a file that this page wrote: ", input)),
      message,
    );
  }

  const showAll = () => {
    const all = store.read();
    for (const show of [showSummary, showRepeat, showCalibration, showChapters])
      show(all);
  };
  mountKeep();
  showAll();
  document.addEventListener("nnperf:kept", showAll);
  addEventListener("storage", showAll);
  addEventListener("pageshow", ({ persisted }) => persisted && showAll());
  let width = innerWidth;
  addEventListener("resize", () => {
    if (innerWidth === width) return;
    width = innerWidth;
    for (const plot of place("calibration").querySelectorAll(".nnp-plot")) plot.redraw();
  });
});
