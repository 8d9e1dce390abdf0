// Finds sections of the course by what a reader types, without a server or a network.
// sections.js, written by the build, holds `courseSections`; MiniSearch ranks them.
"use strict";

(() => {
  const { pages, sections, alike } = window.courseSections;
  const stemmer = new Stemmer();
  const common = new Set([...stopwords, "i", "my", "me", "how", "do", "does", "what",
    "which", "why", "when", "should", "can", "its", "from", "after", "too"]);
  const words = text => text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
  const stem = word => stemmer.stemWord(word);

  // each word's group of words that mean about the same, by their stems
  const groups = new Map();
  for (const group of alike) {
    const stems = group.map(stem);
    for (const one of stems) groups.set(one, [...groups.get(one) ?? [], ...stems]);
  }

  const search = new MiniSearch({
    fields: ["asked", "title", "page", "text"],
    tokenize: words,
    processTerm: word => common.has(word) ? null : stem(word),
  });
  search.addAll(sections.map((section, id) => ({
    id,
    asked: section.asked.join(" . "),
    title: section.title,
    page: pages[section.page].title,
    text: section.text,
  })));

  // Pages in the order of their best section, each with at most three sections.
  const find = query => {
    const typed = new Set(words(query).filter(w => !common.has(w)).map(stem));
    const wanted = [...new Set([...typed].flatMap(w => [w, ...groups.get(w) ?? []]))];
    const hits = search.search(wanted.join(" "), {
      processTerm: term => term, // stems already
      boost: { asked: 5, title: 3, page: 2 },
      boostTerm: term => typed.has(term) ? 1 : 0.3,
      boostDocument: id => {
        const section = sections[id];
        // a phrase that readers type counts by how much of the query it covers
        const covers = Math.max(0, ...section.asked.map(phrase => {
          const stems = new Set(words(phrase).map(stem));
          return [...typed].filter(word => stems.has(word)).length / typed.size;
        }));
        return pages[section.page].weight * (1 + covers ** 3);
      },
      fuzzy: term => term.length > 4 ? 0.25 : false,
      prefix: (term, number, all) => number === all.length - 1 && term.length > 2,
      weights: { fuzzy: 0.2, prefix: 0.3 },
    });
    const found = new Map();
    for (const hit of hits) {
      const { page } = sections[hit.id];
      if (!found.has(page)) found.set(page, []);
      const kept = found.get(page);
      if (kept.length < 3 && hit.score > 0.4 * (kept[0]?.score ?? 0)) kept.push(hit);
    }
    return [...found.values()].filter(([best]) => best.score > 0.08 * hits[0].score);
  };

  const element = (tag, ...inside) => {
    const made = document.createElement(tag);
    made.append(...inside);
    return made;
  };

  // The piece of a text around the first word that was asked for, with these marked.
  const excerpt = (text, stems) => {
    const pieces = text.split(/([\p{L}\p{N}]+)/u);
    const told = pieces.map(piece => stems.has(stem(piece.toLowerCase())));
    const first = Math.max(0, told.indexOf(true));
    const begin = Math.max(0, first - 16), end = begin + 64;
    const shown = pieces.slice(begin, end).map((piece, number) =>
      told[begin + number] ? element("mark", piece) : piece);
    return element("p", begin ? "… " : "", ...shown, end < pieces.length ? " …" : "");
  };

  const link = (section, title) => {
    const made = element("a", title);
    made.href = pages[section.page].address + section.anchor;
    return made;
  };

  const show = query => {
    const list = document.getElementById("search-results");
    const status = document.getElementById("search-status");
    const found = query.trim() ? find(query) : [];
    list.replaceChildren(...found.slice(0, 12).map(([best, ...others]) => {
      const section = sections[best.id], page = pages[section.page];
      const title = section.anchor && section.title !== page.title
        ? `${page.title}: ${section.title}` : page.title;
      const more = others.map(hit => link(sections[hit.id], sections[hit.id].title));
      const entry = element("li", link(section, title),
        excerpt(section.text, new Set(best.terms)));
      if (more.length)
        entry.append(element("p", "also: ", ...more.flatMap((a, i) => i ? [" · ", a] : [a])));
      return entry;
    }));
    status.textContent = !query.trim() ? "" : found.length
      ? `${found.length} page${found.length > 1 ? "s" : ""} for “${query}”`
      : `Nothing for “${query}”. Try one word of it.`;
  };

  const box = document.querySelector("main form.bd-search input");
  let waiting;
  box.value = new URLSearchParams(location.search).get("q") ?? "";
  box.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => show(box.value), 150);
  });
  box.form.addEventListener("submit", event => {
    event.preventDefault();
    show(box.value);
  });
  show(box.value);
  box.focus();
})();
