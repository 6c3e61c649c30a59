// Draws the figures in the colours of the scheme, and again when the scheme, the width or the switch changes.
"use strict";
(function () {
  const LINE = 21;  // pixels: of the legend, with its letters, the strokes before them, and the margins beside it
  const LETTER = 6.5;
  const SAMPLE = 55;
  const SIDES = 80;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const narrow = matchMedia("(max-width: 600px)");
  const every = document.getElementById("runs");
  const places = Array.from(document.querySelectorAll(".plot"), (place) => ({
    place,
    figure: JSON.parse(place.parentNode.querySelector("script").textContent),
  }));

  // A long entry has several lines on a phone.
  function fitted(name) {
    return narrow.matches && name.length > 36 ? name.replaceAll(", ", ",<br>") : name;
  }

  // How many lines the legend will have, which stands above the curves: about.
  function legendLines(names, width) {
    let lines = 0;
    let room = 0;
    for (const name of names) {
      const parts = name.split("<br>");
      const needed = SAMPLE + LETTER * Math.max(...parts.map((part) => part.length));
      if (needed > room || parts.length > 1) {
        lines += parts.length;
        room = parts.length > 1 ? 0 : width - needed;
      } else {
        room -= needed;
      }
    }
    return lines;
  }

  function trace(one, colours) {
    const colour = colours[one.meta.colour];
    const dressed = { ...one, name: fitted(one.name), line: { ...one.line, color: colour } };
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
      const names = figure.data.filter((one) => one.meta.part === "centre").map((one) => fitted(one.name));
      place.style.height = `${320 + LINE * legendLines(names, place.clientWidth - SIDES)}px`;
      const layout = {
        ...given,
        paper_bgcolor: "rgba(0,0,0,0)",
        plot_bgcolor: "rgba(0,0,0,0)",
        font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: colour("--ink") },
        hoverlabel: { bgcolor: colour("--shade"), bordercolor: colour("--line"), font: { color: colour("--ink") } },
        // a finger scrolls the page; a mouse zooms
        dragmode: narrow.matches ? false : "zoom",
        hovermode: narrow.matches || every.checked ? "closest" : given.hovermode,
        margin: narrow.matches ? { ...given.margin, l: 8 } : { ...given.margin, r: 40 },  // the buttons' place
        modebar: {
          orientation: "v", bgcolor: "rgba(0,0,0,0)", color: colour("--faint"), activecolor: colour("--ink"),
        },
        xaxis: { ...given.xaxis, ...axis },
        yaxis: { ...given.yaxis, ...axis, title: narrow.matches ? { text: "" } : given.yaxis.title },
      };
      // named one by one: others of Plotly's would share the chart with a server
      const buttons = [["toImage"], ["zoom2d", "pan2d", "resetScale2d"]];
      const settings = {
        responsive: true, displaylogo: false, displayModeBar: narrow.matches ? false : "hover", modeBarButtons: buttons,
      };
      Plotly.react(place, figure.data.map((one) => trace(one, colours)), layout, settings);
    }
  }

  if (!places.length) return;
  draw();
  for (const each of [dark, narrow, every]) each.addEventListener("change", draw);
})();
