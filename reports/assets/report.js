"use strict";
// A click on a heading sorts each section of its table, a second click turns the order round, and a
// third brings back the order in which it was printed. Numbers come before words; empty cells stay
// last.
const NUMBER = /^[+\u2212-]?(\d{1,3}(,\d{3})+|\d+)?(\.\d+)?(e[+-]?\d+)?(?![\d/:,.]|[-–]\d)/i;
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
      const keyOf = keys([...printed.values()].flat(), column);
      for (const [body, rows] of printed) body.append(...sorted(rows, keyOf, order));
    });
  });
}

function isTitle(row) {
  return row.classList.contains("section");
}

function sorted(rows, keyOf, order) {
  if (!order) return rows;
  const sign = order === "ascending" ? 1 : -1;
  const ranked = rows.filter((row) => !isTitle(row));
  ranked.sort((a, b) => compare(keyOf.get(a), keyOf.get(b), sign));
  return [...rows.filter(isTitle), ...ranked];
}

// What each row is sorted by in a column: a number, words, or null where its cell is empty. A text
// that begins with a number ("+0.11 %") is one where all texts of the column begin so: among words,
// digits are part of a name.
function keys(rows, column) {
  const shown = rows.filter((row) => !isTitle(row)).map((row) => [row, row.cells[column]]);
  const isText = ([, cell]) => !("value" in cell.dataset) && words(cell) !== null;
  const areNumbers = shown.filter(isText).every(([, cell]) => leading(words(cell)) !== null);
  return new Map(
    shown.map(([row, cell]) => {
      if ("value" in cell.dataset) return [row, Number(cell.dataset.value)];
      const text = words(cell);
      return [row, text !== null && areNumbers ? leading(text) : text];
    }),
  );
}

function compare(x, y, sign) {
  if (x === null || y === null) return (x === null) - (y === null);
  const [isNumber, isOther] = [typeof x === "number", typeof y === "number"];
  if (isNumber !== isOther) return isNumber ? -1 : 1;
  return sign * (isNumber ? x - y : natural.compare(x, y));
}

// The number that a text begins with, or null.
function leading(text) {
  const found = NUMBER.exec(text);
  if (!found || !/\d/.test(found[0])) return null;
  return Number(found[0].replace("\u2212", "-").replaceAll(",", ""));
}

// The words of a cell without its footnotes; null of an empty one.
function words(cell) {
  const nodes = [...cell.childNodes].filter((node) => node.localName !== "sup");
  const text = nodes.map((node) => node.textContent).join("").trim();
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
