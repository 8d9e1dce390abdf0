// The one script of a site's page with labs: it loads the others, beside it, as soon as
// a lab comes into view, and works from a disk as well.
(() => {
  "use strict";
  const nnperf = (window.nnperf = window.nnperf || {});
  const folder = document.currentScript.src.replace(/[^/]*$/, "");
  const loading = {};
  nnperf.ownsAddress = true;

  const load = (name) =>
    (loading[name] =
      loading[name] ||
      new Promise((done, failed) => {
        const script = document.createElement("script");
        script.src = folder + name;
        script.onload = done;
        script.onerror = () => failed(new Error(`cannot load ${script.src}`));
        document.head.append(script);
      }));

  async function start(section) {
    // one after the other, as each builds on those before
    for (const name of section.dataset.scripts.split(" ")) await load(name);
    nnperf.mount(section);
  }

  function begin() {
    const sections = [...document.querySelectorAll(".nnperf-lab")];
    const watcher = new IntersectionObserver(
      (entries) => {
        for (const { isIntersecting, target } of entries) {
          if (!isIntersecting) continue;
          watcher.unobserve(target);
          start(target);
        }
      },
      { rootMargin: "300px" },
    );
    sections.forEach((section) => watcher.observe(section));
    // an address with a lab's state leads to that lab
    const names = [...new URLSearchParams(location.hash.slice(1)).keys()];
    const named = sections.find(({ dataset }) =>
      names.some((name) => name.startsWith(`${dataset.key}.`)),
    );
    if (!named) return;
    named.scrollIntoView();
    // those above it are of another height once they live
    const settle = new ResizeObserver(() => named.scrollIntoView());
    settle.observe(document.body);
    for (const kind of ["wheel", "touchstart", "keydown", "pointerdown"])
      addEventListener(kind, () => settle.disconnect(), { once: true, passive: true });
    setTimeout(() => settle.disconnect(), 3000);
  }

  if (document.readyState === "loading") addEventListener("DOMContentLoaded", begin);
  else begin();
})();
