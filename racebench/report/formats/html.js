for (const button of document.querySelectorAll("input[name=show]")) {
  button.addEventListener("change", () => {
    for (const one of document.querySelectorAll("[data-verdict]")) {
      const off = button.value !== "all" && !one.dataset.verdict.split(" ").includes(button.value);
      if (one.tagName === "TD") one.classList.toggle("off", off); else one.hidden = off;
    }
    for (const row of document.querySelectorAll(".grid tbody tr"))
      row.hidden = !row.querySelector("[data-verdict]:not(.off)");
  });
}
for (const button of document.querySelectorAll("input[name=reach]")) {
  button.addEventListener("change", () => {
    for (const one of document.querySelectorAll("[data-reach]"))
      one.classList.toggle("unreached", button.value !== "" && one.dataset.reach !== button.value);
  });
}
document.querySelector(".filter").hidden = false;
