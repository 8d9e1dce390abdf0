// The ledger's columns sort at a click on their heads. Without script the table stands
// in the order of the chapters, and its filters work all the same.
document.addEventListener("DOMContentLoaded", () => {
  const table = document.querySelector("table.claims-table");
  if (!table) return;
  const body = table.tBodies[0], heads = [...table.tHead.rows[0].cells];
  const asWritten = [...body.rows];
  const order = ["✓", "◐", "✗"];

  // what a cell counts as: a mark's place, a share, a percentage, or its words
  const key = cell => {
    const text = cell.innerText.trim();
    if (order.includes(text[0])) return order.indexOf(text[0]);
    const share = text.match(/(\d+) of (\d+)/);
    if (share) return share[1] / share[2];
    const number = parseFloat(text);
    return Number.isNaN(number) ? text.toLowerCase() : number;
  };
  const compare = (a, b) => {
    if (typeof a === typeof b) return a < b ? -1 : a > b ? 1 : 0;
    return typeof a === "number" ? -1 : 1; // words, such as a dash, come last
  };

  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.innerText.trim();
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const was = head.getAttribute("aria-sort");
      const now = { ascending: "descending", descending: null }[was] ??
        (was ? null : "ascending");
      heads.forEach(other => other.removeAttribute("aria-sort"));
      if (now) head.setAttribute("aria-sort", now);
      const rows = [...asWritten];
      const sign = now === "descending" ? -1 : 1;
      if (now) {
        const keys = new Map(rows.map(row => [row, key(row.cells[column])]));
        rows.sort((a, b) => sign * compare(keys.get(a), keys.get(b)));
      }
      body.append(...rows);
    });
  });
});
