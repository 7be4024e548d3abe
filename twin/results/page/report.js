// Draws the series of one run. The page carries everything: no request leaves it.
"use strict";

(async () => {
  const POINTS = 2200; // most points a line is drawn with; more is bucketed to mean, low, high
  const meta = JSON.parse(document.getElementById("meta").textContent);
  const status = document.getElementById("status");

  async function inflate(id) {
    const packed = atob(document.getElementById(id).textContent.trim());
    const bytes = Uint8Array.from(packed, (c) => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).arrayBuffer();
  }

  if (typeof DecompressionStream === "undefined") {
    status.textContent = "This browser cannot unpack the charts; see the pictures in plots/.";
    return;
  }
  const [library, data] = await Promise.all([inflate("library"), inflate("data")]);
  const script = document.createElement("script");
  script.textContent = new TextDecoder().decode(library);
  document.head.appendChild(script);

  const floats = (part) => new Float32Array(data, part.at * 4, part.count);
  const dark = () => matchMedia("(prefers-color-scheme: dark)").matches;
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const toX = (index, step) => meta.x0 + index * step * meta.x_per_s;

  // Mean, lowest and highest of each bucket of rows first..last.
  function bucket(series, first, last) {
    const mean = floats(series.mean);
    const low = series.low ? floats(series.low) : mean;
    const high = series.high ? floats(series.high) : mean;
    const per = Math.max(1, Math.ceil((last - first) / POINTS));
    const out = { x: [], mean: [], low: [], high: [], range: per > 1 || Boolean(series.low) };
    for (let i = first; i < last; i += per) {
      let sum = 0, known = 0, lowest = Infinity, highest = -Infinity;
      for (let k = i; k < Math.min(i + per, last); k++) {
        if (Number.isNaN(mean[k])) continue;
        sum += mean[k];
        known += 1;
        lowest = Math.min(lowest, low[k]);
        highest = Math.max(highest, high[k]);
      }
      out.x.push(toX(i, series.step_s));
      out.mean.push(known ? sum / known : null);
      out.low.push(known ? lowest : null);
      out.high.push(known ? highest : null);
    }
    return out;
  }

  function tint(colour, opacity) {
    const n = parseInt(colour.slice(1), 16);
    return `rgba(${n >> 16},${(n >> 8) & 255},${n & 255},${opacity})`;
  }

  function traces(chart, range) {
    const out = [];
    for (const series of chart.series) {
      const step = series.step_s * meta.x_per_s;
      let first = 0, last = series.mean.count;
      if (range) {
        first = Math.max(0, Math.floor((range[0] - meta.x0) / step) - 1);
        last = Math.min(last, Math.ceil((range[1] - meta.x0) / step) + 2);
      }
      if (last <= first) continue;
      const b = bucket(series, first, last);
      const colour = dark() ? series.dark : series.colour;
      if (b.range && !chart.stacked) {
        const edge = { mode: "lines", line: { width: 0 }, hoverinfo: "skip", showlegend: false,
          legendgroup: series.label, connectgaps: false };
        out.push({ ...edge, x: b.x, y: b.low });
        out.push({ ...edge, x: b.x, y: b.high, fill: "tonexty", fillcolor: tint(colour, 0.25) });
      }
      const line = { x: b.x, y: b.mean, name: series.label, mode: "lines", connectgaps: false,
        legendgroup: series.label, line: { color: colour, width: 1.5 },
        hovertemplate: `%{y:${chart.format}} ${chart.unit}` };
      if (chart.stacked) {
        Object.assign(line, { stackgroup: "all", line: { width: 0 }, fillcolor: tint(colour, 0.9) });
      }
      out.push(line);
    }
    return out;
  }

  function layout(chart, range) {
    const axis = { gridcolor: css("--line"), linecolor: css("--line"), zeroline: false };
    const xaxis = { ...axis, type: meta.dates ? "date" : "linear", showgrid: false,
      title: { text: meta.dates ? "" : "days from the start of the run" } };
    xaxis.range = range || [meta.x0, meta.x1];
    const yaxis = { ...axis, title: { text: chart.axis, font: { size: 12 } }, fixedrange: true };
    if (chart.stacked || chart.from_zero) yaxis.rangemode = "tozero";
    if (chart.range) yaxis.range = chart.range;
    if (chart.ticks) yaxis.tickformat = chart.ticks;
    return {
      title: { text: chart.title, x: 0, xanchor: "left", xref: "paper", font: { size: 14 } },
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { color: css("--ink"), family: "system-ui, sans-serif", size: 12 },
      margin: { l: 62, r: 8, t: 34, b: 32 }, hovermode: "x unified",
      hoverlabel: { bgcolor: css("--panel"), bordercolor: css("--line"), font: { color: css("--ink") } },
      legend: { orientation: "h", x: 1, xanchor: "right", y: 1.0, yanchor: "bottom", font: { size: 11 } },
      showlegend: chart.series.length > 1, dragmode: "zoom", xaxis, yaxis,
    };
  }

  const options = { displayModeBar: false, responsive: true };
  const places = meta.charts.map((chart) => document.getElementById(chart.id));
  let range = null;
  let busy = false;

  async function draw() {
    busy = true;
    await Promise.all(meta.charts.map((chart, k) =>
      Plotly.react(places[k], traces(chart, range), layout(chart, range), options)));
    busy = false;
  }

  // A date axis answers in text without a zone; all our instants are written as if UTC.
  const toNumber = (v) => (typeof v === "number" ? v : Date.parse(v.replace(" ", "T") + "Z"));

  function follow(event) {
    if (busy) return;
    if (event["xaxis.range[0]"] !== undefined) {
      range = [toNumber(event["xaxis.range[0]"]), toNumber(event["xaxis.range[1]"])];
    } else if (Array.isArray(event["xaxis.range"])) {
      range = event["xaxis.range"].map(toNumber);
    } else if (event["xaxis.autorange"]) {
      range = null;
    } else {
      return;
    }
    draw();
  }

  await draw();
  for (const place of places) place.on("plotly_relayout", follow);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  status.textContent = meta.hint;
  document.documentElement.dataset.ready = "yes";
})();
