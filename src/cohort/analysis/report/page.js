// Draws the figures in the colours of the scheme, and again when the scheme, the width or the switch changes.
"use strict";
(function () {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const narrow = matchMedia("(max-width: 600px)");
  const every = document.getElementById("runs");
  const places = Array.from(document.querySelectorAll(".plot"), (place) => ({
    place,
    figure: JSON.parse(place.parentNode.querySelector("script").textContent),
  }));

  function trace(one, colours) {
    const colour = colours[one.meta.colour];
    const dressed = { ...one, line: { ...one.line, color: colour } };
    if (one.meta.part === "band") dressed.fillcolor = colour;
    if (one.marker) dressed.marker = { ...one.marker, color: colour };
    if (one.meta.part === "run") dressed.visible = every.checked;
    return dressed;
  }

  function draw() {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    const colours = COLOURS[dark.matches ? "dark" : "light"];
    for (const { place, figure } of places) {
      const axis = { gridcolor: colour("--line"), linecolor: colour("--line"), zeroline: false, automargin: true };
      const given = figure.layout;
      const entries = figure.data.filter((one) => one.meta.part === "centre").length;
      place.style.height = narrow.matches ? `${300 + 24 * entries}px` : "";  // the legend stands above the curves
      const layout = {
        ...given,
        paper_bgcolor: "rgba(0,0,0,0)",
        plot_bgcolor: "rgba(0,0,0,0)",
        font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: colour("--ink") },
        hoverlabel: { bgcolor: colour("--shade"), bordercolor: colour("--line"), font: { color: colour("--ink") } },
        // a finger scrolls the page; a mouse zooms
        dragmode: narrow.matches ? false : "zoom",
        hovermode: narrow.matches || every.checked ? "closest" : given.hovermode,
        margin: narrow.matches ? { ...given.margin, l: 8 } : given.margin,
        xaxis: { ...given.xaxis, ...axis },
        yaxis: { ...given.yaxis, ...axis, title: narrow.matches ? { text: "" } : given.yaxis.title },
      };
      const settings = { responsive: true, displaylogo: false, modeBarButtonsToRemove: ["select2d", "lasso2d"] };
      Plotly.react(place, figure.data.map((one) => trace(one, colours)), layout, settings);
    }
  }

  if (!places.length) return;
  draw();
  for (const each of [dark, narrow, every]) each.addEventListener("change", draw);
})();
