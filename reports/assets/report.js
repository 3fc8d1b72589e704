"use strict";
// A click on a heading sorts each section of its table; a second click turns the order round.
// Empty cells stay last.
for (const table of document.querySelectorAll("table")) {
  const headings = [...table.tHead.rows[0].cells];
  headings.forEach((heading, column) => {
    heading.querySelector("button").addEventListener("click", () => {
      const ascending = heading.getAttribute("aria-sort") !== "ascending";
      for (const other of headings) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", ascending ? "ascending" : "descending");
      for (const body of table.tBodies) sortRows(body, column, ascending);
    });
  });
}

function sortRows(body, column, ascending) {
  const rows = [...body.rows].filter((row) => !row.classList.contains("section"));
  rows.sort((a, b) => compare(a.cells[column], b.cells[column], column, ascending));
  body.append(...rows);
}

function compare(a, b, column, ascending) {
  const sign = ascending ? 1 : -1;
  if (column === 0) return sign * a.textContent.localeCompare(b.textContent);
  const [x, y] = [a.dataset.value, b.dataset.value];
  if (x === undefined || y === undefined) return (x === undefined) - (y === undefined);
  return sign * (Number(x) - Number(y));
}

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
