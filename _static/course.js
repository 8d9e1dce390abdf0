// What every page knows of the reader's progress: ticks beside the chapters in the menu.
// `course_ids.js`, which the build writes, tells what there is; the kit of the labs
// (labs/kit.js), which only pages with something to answer load, writes what is kept.
(() => {
  "use strict";
  const nnperf = (window.nnperf = window.nnperf || {});
  const isRecord = (value) =>
    typeof value === "object" && value !== null && !Array.isArray(value);

  /** Return what the device keeps, each part by id; empty where it is not sound. */
  nnperf.kept = () => {
    let found = null;
    try {
      found = JSON.parse(localStorage.getItem("nnperf"));
    } catch {
      // no storage, or not what was once written there
    }
    const part = (name) =>
      isRecord(found) && found.version === 1 && isRecord(found[name]) ? found[name] : {};
    const [predictions, quizzes, labs, chapters] = [
      "predictions",
      "quizzes",
      "labs",
      "chapters",
    ].map(part);
    return { predictions, quizzes, labs, chapters };
  };

  /** Return how much of a chapter is done: {done, of, read, finished}. */
  nnperf.progress = (name, kept) => {
    const { predictions, quizzes, labs } = nnperf.course[name];
    const answered = quizzes.filter((id) => Number.isInteger(kept.quizzes[id]?.said));
    const said = predictions.filter((id) => isRecord(kept.predictions[id]));
    const reached = labs.filter((id) => isRecord(kept.labs[id]));
    const read = isRecord(kept.chapters[name]);
    return {
      done: answered.length + said.length + reached.length + Number(read),
      of: quizzes.length + predictions.length + labs.length + 1,
      read,
      finished: read && answered.length === quizzes.length,
    };
  };

  /** Return a chapter's mark, or null where nothing was done yet. */
  nnperf.tick = (name, kept) => {
    const { done, of, finished } = nnperf.progress(name, kept);
    if (!done) return null;
    const mark = document.createElement("span");
    mark.className = finished ? "course-tick" : "course-tick course-begun";
    mark.textContent = finished ? "✓" : "";
    mark.style.setProperty("--share", `${Math.round((100 * done) / of)}%`);
    mark.setAttribute("role", "img");
    mark.setAttribute("aria-label", finished ? "finished" : `${done} of ${of} done`);
    mark.title = mark.getAttribute("aria-label");
    return mark;
  };

  function showTicks() {
    const kept = nnperf.kept();
    for (const link of document.querySelectorAll(".bd-links a.reference")) {
      link.querySelector(".course-tick")?.remove();
      // the page's own link is “#”
      const name = new URL(link.href).pathname.split("/").pop().replace(".html", "");
      const tick = nnperf.course?.[name] && nnperf.tick(name, kept);
      if (tick) link.append(" ", tick);
    }
  }

  document.addEventListener("DOMContentLoaded", showTicks);
  document.addEventListener("nnperf:kept", showTicks);
  addEventListener("storage", showTicks);
  addEventListener("pageshow", showTicks);
})();
