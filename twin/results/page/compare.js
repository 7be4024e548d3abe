// Draws designs by two figures of the reader's choice, and sorts the table of designs.
"use strict";

(async () => {
  const meta = JSON.parse(document.getElementById("meta").textContent);
  const status = document.getElementById("status");
  const place = document.getElementById("trade-off");
  const pick = (id) => document.getElementById(id);

  // ---- the table: a click on a head sorts by it, the next click turns it round ----
  const table = document.getElementById("designs");
  let sortedBy = -1, turn = 1;
  table.tHead.addEventListener("click", (event) => {
    const column = event.target.closest("th").cellIndex;
    turn = column === sortedBy ? -turn : 1;
    sortedBy = column;
    const value = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent;
    const order = (a, b) => {
      const x = value(a), y = value(b);
      if (x === "" || y === "") return (x === "") - (y === ""); // what is not known stands last
      const [m, n] = [Number(x), Number(y)];
      return turn * (Number.isNaN(m) || Number.isNaN(n) ? x.localeCompare(y) : m - n);
    };
    table.tBodies[0].append(...[...table.tBodies[0].rows].sort(order));
  });

  if (typeof DecompressionStream === "undefined") {
    status.textContent = "This browser cannot unpack the chart; see the pictures below.";
    return;
  }
  const packed = atob(document.getElementById("library").textContent.trim());
  const bytes = Uint8Array.from(packed, (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const script = document.createElement("script");
  script.textContent = await new Response(stream).text();
  document.head.appendChild(script);

  const palette = ["#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#8c6bb1", "#9aa0a6"];
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const known = (v) => typeof v === "number" && Number.isFinite(v);

  for (const [key, figure] of Object.entries(meta.figures)) {
    pick("x").add(new Option(figure.label, key));
    pick("y").add(new Option(figure.label, key));
  }
  for (const key of Object.keys(meta.settings)) pick("by").add(new Option(key, key));
  pick("x").value = meta.x;
  pick("y").value = meta.y;

  // Designs that no other beats in both figures.
  function front(x, y) {
    const sign = (key) => (meta.figures[key].better === "higher" ? -1 : 1);
    const [sx, sy] = [sign(pick("x").value), sign(pick("y").value)];
    const all = meta.names.map((_, k) => k).filter((k) => known(x[k]) && known(y[k]));
    const beats = (a, b) => sx * x[a] <= sx * x[b] && sy * y[a] <= sy * y[b] &&
      (x[a] !== x[b] || y[a] !== y[b]);
    return all.filter((k) => !all.some((other) => beats(other, k))).sort((a, b) => x[a] - x[b]);
  }

  function draw() {
    const [fx, fy] = [meta.figures[pick("x").value], meta.figures[pick("y").value]];
    const [x, y] = [fx.values, fy.values];
    const by = meta.settings[pick("by").value] || meta.names.map(() => "");
    const traces = [...new Set(by)].map((name, n) => {
      const mine = by.map((v, k) => (v === name ? k : -1)).filter((k) => k >= 0);
      return { x: mine.map((k) => x[k]), y: mine.map((k) => y[k]), text: mine.map((k) => meta.names[k]),
        name, mode: "markers", type: "scatter", marker: { size: 9, color: palette[n % palette.length] },
        hovertemplate: "%{text}<br>%{x:.4~g}, %{y:.4~g}<extra></extra>" };
    });
    const best = front(x, y);
    if (fx !== fy) {
      traces.push({ x: best.map((k) => x[k]), y: best.map((k) => y[k]), mode: "lines", type: "scatter",
        name: "beaten by none", hoverinfo: "skip", line: { color: css("--warm"), width: 1.5, dash: "dot" } });
    }
    const axis = { gridcolor: css("--line"), linecolor: css("--line"), zeroline: false };
    Plotly.react(place, traces, {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", hovermode: "closest",
      font: { color: css("--ink"), family: "system-ui, sans-serif", size: 12 },
      margin: { l: 70, r: 10, t: 10, b: 50 }, showlegend: traces.length > 1,
      xaxis: { ...axis, title: { text: fx.axis } }, yaxis: { ...axis, title: { text: fy.axis } },
    }, { displayModeBar: false, responsive: true });
  }

  for (const id of ["x", "y", "by"]) pick(id).addEventListener("change", draw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  draw();
  status.textContent = "Choose what to compare; drag to zoom, double-click to go back.";
  document.documentElement.dataset.ready = "yes";
})();
