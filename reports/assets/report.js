"use strict";
// A click on a heading sorts each section of its table, a second click turns the order round, and a
// third brings back the order in which it was printed. Empty cells stay last.
const natural = new Intl.Collator("en", { numeric: true });
for (const table of document.querySelectorAll("table")) {
  const headings = [...table.tHead.rows[0].cells];
  const printed = new Map([...table.tBodies].map((body) => [body, [...body.rows]]));
  headings.forEach((heading, column) => {
    heading.querySelector("button").addEventListener("click", () => {
      const next = { null: "ascending", ascending: "descending", descending: null };
      const order = next[heading.getAttribute("aria-sort")];
      for (const other of headings) other.removeAttribute("aria-sort");
      if (order) heading.setAttribute("aria-sort", order);
      for (const [body, rows] of printed) body.append(...sorted(rows, column, order));
    });
  });
}

function sorted(rows, column, order) {
  if (!order) return rows;
  const sign = order === "ascending" ? 1 : -1;
  const isTitle = (row) => row.classList.contains("section");
  const ranked = rows.filter((row) => !isTitle(row));
  ranked.sort((a, b) => compare(a.cells[column], b.cells[column], sign));
  return [...rows.filter(isTitle), ...ranked];
}

function compare(a, b, sign) {
  const [x, y] = [key(a), key(b)];
  if (x === null || y === null) return (x === null) - (y === null);
  return sign * (typeof x === "number" && typeof y === "number" ? x - y : natural.compare(x, y));
}

// A number, else the words without their footnotes; null of an empty cell.
function key(cell) {
  if ("value" in cell.dataset) return Number(cell.dataset.value);
  const words = [...cell.childNodes].filter((node) => node.localName !== "sup");
  const text = words.map((node) => node.textContent).join("").trim();
  return text === "" || text === "–" ? null : text;
}

// A footnote that is folded away opens when its mark is followed.
addEventListener("hashchange", () => {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  for (let at = target; at; at = at.parentElement) if (at.localName === "details") at.open = true;
  if (target) target.scrollIntoView();
});

// What is folded away on the screen belongs on paper.
addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details:not([open])")) {
    details.open = true;
    details.dataset.folded = "";
  }
});
addEventListener("afterprint", () => {
  for (const details of document.querySelectorAll("details[data-folded]")) {
    details.open = false;
    delete details.dataset.folded;
  }
});
