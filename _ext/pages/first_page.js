// The first page: what a mark says, for who cannot point at it, and where to begin.
document.addEventListener("DOMContentLoaded", () => {
  "use strict";
  const make = (tag, attributes, ...children) => {
    const element = Object.assign(document.createElement(tag), attributes);
    element.append(...children);
    return element;
  };

  // --- the marks of all claims ----------------------------------------------------------

  const glance = document.querySelector(".at-a-glance");
  if (glance) {
    const marks = glance.querySelector(".marks");
    const place = make("p", { className: "mark-told" }, "Point at a mark, or tap it.");
    marks.after(place);
    let shown = null;
    const show = (mark) => {
      shown?.classList.remove("mark-shown");
      mark.classList.add("mark-shown");
      shown = mark;
      const [verdict, ...rest] = mark.getAttribute("aria-label").split(": ");
      const title = `${mark.textContent.trim()} ${verdict}`;
      const link = make("a", { href: mark.href }, "See it measured");
      const [, kind] = mark.classList;
      const name = make("b", { className: `verdict ${kind}` }, title);
      place.replaceChildren(name, ` “${rest.join(": ")}” `, link);
    };
    const markOf = ({ target }) => target.closest?.("a.verdict");
    marks.addEventListener("click", (event) => {
      const mark = markOf(event);
      const touched = event.pointerType
        ? event.pointerType !== "mouse" && event.detail > 0
        : matchMedia("(hover: none)").matches;
      if (!mark || !touched) return;
      event.preventDefault(); // the link stands beside what it says
      show(mark);
    });
    for (const kind of ["mouseover", "focusin"])
      marks.addEventListener(kind, (event) => markOf(event) && show(markOf(event)));
    // both would tell the same
    for (const mark of marks.querySelectorAll("a")) mark.removeAttribute("title");
  }

  // --- where to begin --------------------------------------------------------------------

  const test = document.querySelector(".self-test");
  if (!test) return;
  const told = test.querySelector(".self-test-data").textContent;
  const { questions, ledger } = JSON.parse(told);
  const place = test.querySelector(".self-test-proposal");

  /** Say which chapter to begin with: the first whose question was missed. */
  function propose() {
    const { quizzes } = nnperf.kept();
    const answered = questions.filter(({ id }) => Number.isInteger(quizzes[id]?.said));
    const missed = answered.filter(({ id, right }) => quizzes[id].said !== right);
    const link = (page, text) => make("a", { href: page }, text);
    if (!answered.length) return;
    if (answered.length < questions.length)
      place.textContent =
        `${answered.length} of ${questions.length} answered: ` +
        "the proposal comes with the last one.";
    else if (missed.length)
      place.replaceChildren(
        `${questions.length - missed.length} of ${questions.length} right. Begin with `,
        link(missed[0].page, missed[0].title),
        missed.length === 1 ? "." : ", the first of the chapters whose question you missed.",
      );
    else
      place.replaceChildren(
        `All ${questions.length} right. Begin with what may surprise you all the same: ` +
          "the claims that fail, in ",
        link(ledger, "the ledger"),
        ".",
      );
  }
  propose();
  document.addEventListener("nnperf:kept", propose);
});
