// A term's definition over the page, where no margin shows it: on hover, focus and tap;
// Escape closes it. It can be pointed at itself, so that it can be read at leisure.
"use strict";

(() => {
  const margin = matchMedia("(min-width: 1600px)");
  let open = null, closing = 0;

  const close = () => {
    clearTimeout(closing);
    open?.note.classList.remove("shown");
    open = null;
  };

  const place = ({ link, note }) => {
    const at = link.getClientRects()[0], gap = 8;
    const { width, height } = note.getBoundingClientRect();
    const left = Math.min(at.left, document.documentElement.clientWidth - width - gap);
    const below = link.getBoundingClientRect().bottom + 4;
    const fits = below + height + gap < innerHeight;
    note.style.left = `${Math.max(gap, left)}px`;
    note.style.top = `${fits ? below : at.top - height - 4}px`;
  };

  const show = link => {
    clearTimeout(closing);
    if (margin.matches || open?.link === link) return;
    close();
    const note = document.getElementById(link.getAttribute("aria-describedby"));
    note.classList.add("shown");
    open = { link, note };
    place(open);
  };

  const closeSoon = () => {
    clearTimeout(closing);
    closing = setTimeout(close, 250);
  };

  for (const link of document.querySelectorAll("a.glossary-term[aria-describedby]")) {
    const note = document.getElementById(link.getAttribute("aria-describedby"));
    let touched = false; // and not open before
    link.addEventListener("pointerdown", event => {
      touched = event.pointerType === "touch" && open?.link !== link;
    });
    link.addEventListener("click", event => {
      // the first tap tells, the second leads to the glossary
      if (touched && !margin.matches) event.preventDefault();
      if (touched) show(link);
      touched = false;
    });
    link.addEventListener("pointerenter", event => {
      if (event.pointerType !== "touch") show(link);
    });
    link.addEventListener("pointerleave", event => {
      if (event.pointerType !== "touch") closeSoon();
    });
    link.addEventListener("focus", () => { if (!touched) show(link); });
    link.addEventListener("blur", closeSoon);
    note.addEventListener("pointerenter", () => clearTimeout(closing));
    note.addEventListener("pointerleave", closeSoon);
  }
  document.addEventListener("keydown", event => {
    if (event.key === "Escape") close();
  });
  document.addEventListener("pointerdown", event => {
    if (open && !event.target.closest(".term-note, .glossary-term")) close();
  });
  addEventListener("scroll", () => { if (open) place(open); }, { passive: true });
  margin.addEventListener("change", close);
})();
