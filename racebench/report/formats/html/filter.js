"use strict";
{
  const form = document.querySelector(".filter");
  const panels = [...document.querySelectorAll("article.finding")];
  const chosen = () => Object.fromEntries([...new FormData(form)].filter(([, value]) => value));

  const matches = (panel, { text, ...wanted }) => {
    const facets = JSON.parse(panel.dataset.facets);
    if (!Object.entries(wanted).every(([name, value]) => (facets[name] || []).includes(value))) return false;
    const said = panel.textContent.toLowerCase();
    return (text || "").toLowerCase().split(/\s+/).every((word) => said.includes(word));
  };

  const apply = () => {
    const wanted = chosen();
    let shown = 0;
    for (const panel of panels) {
      panel.hidden = !matches(panel, wanted);
      shown += !panel.hidden;
    }
    for (const cell of document.querySelectorAll("[data-verdict]")) {
      const off = !!wanted.verdict && cell.dataset.verdict !== wanted.verdict;
      if (cell.tagName === "TD") cell.classList.toggle("off", off); else cell.hidden = off;
    }
    for (const row of document.querySelectorAll(".grid tbody tr"))
      row.hidden = !row.querySelector("[data-verdict]:not(.off)");
    form.querySelector("output").value = `${shown} of ${panels.length} finding${panels.length === 1 ? "" : "s"}`;
  };

  // What was done in a cell stands in the list of all of them: its square says it too.
  const titles = new Map([...document.querySelectorAll("tr[data-verdict]")].map(({ cells }) =>
    [cells[0].textContent, `: ${cells[1].textContent}; ${cells[cells.length - 1].firstChild.textContent}`]));
  for (const square of document.querySelectorAll(".grid td[title]"))
    square.title += titles.get(square.title) ?? "";

  if (form) {
    form.hidden = false;
    form.addEventListener("input", apply);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("reset", () => setTimeout(apply));
    // A link leads to its finding whatever is chosen.
    addEventListener("hashchange", () => {
      const target = document.getElementById(location.hash.slice(1).split("-")[0]);
      if (target && target.hidden) { form.reset(); target.scrollIntoView(); }
    });
  }
}
