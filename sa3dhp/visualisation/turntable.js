"use strict";
for (const box of document.querySelectorAll(".turn")) {
  const clips = JSON.parse(box.querySelector("script").textContent);
  const [choose, play, slider, image, plot, at] =
    ["select", "button", "input", "img", ".plot", ".at"].map((s) => box.querySelector(s));
  let clip = clips[0], timer = null;

  // One line per side of the body: limbs one after the other, with gaps between.
  function sides(frame) {
    return clip.poses.flatMap((row) => {
      const lines = new Map();
      for (const [from, to, colour] of clip.limbs) {
        if (!lines.has(colour)) lines.set(colour, { x: [], y: [], z: [] });
        const line = lines.get(colour);
        for (const point of [row[frame][from], row[frame][to], null])
          ["x", "y", "z"].forEach((axis, k) => line[axis].push(point ? point[k] : null));
      }
      return [...lines].map(([colour, line]) => ({ colour, ...line }));
    });
  }

  function show(frame) {
    const found = sides(frame);
    const pick = (axis) => found.map((line) => line[axis]);
    Plotly.restyle(plot, { x: pick("x"), y: pick("y"), z: pick("z") }, found.map((_, n) => n));
    slider.value = frame;
    at.textContent = clip.times[frame];
    if (clip.pictures.length) image.src = clip.pictures[frame];
  }

  function open(number) {
    clip = clips[number];
    slider.max = clip.times.length - 1;
    image.hidden = !clip.pictures.length;
    const [x, y, z] = clip.range.map(([low, high], k) => [low - 100, high + [100, 100, 260][k]]);
    // All of them are in view however they are turned, and their names above them.
    const [wide, deep, tall] = [x, y, z].map(([low, high]) => high - low);
    const across = Math.max(wide, deep) * plot.clientHeight / Math.max(plot.clientWidth, 1);
    const unit = Math.max(tall, across) / 1.4; // of what the camera below sees
    const hidden = { visible: false, showspikes: false };
    const names = {
      type: "scatter3d", mode: "text", text: clip.labels, x: clip.heads,
      y: clip.heads.map(() => (y[0] + y[1]) / 2), z: clip.heads.map(() => z[1] - 100),
      hoverinfo: "skip", showlegend: false,
    };
    const limbs = sides(0).map(({ colour, ...line }) => ({
      type: "scatter3d", mode: "lines+markers", hoverinfo: "skip", showlegend: false,
      line: { color: colour, width: 6 }, marker: { color: colour, size: 3 }, ...line,
    }));
    Plotly.newPlot(plot, [...limbs, names], {
      margin: { l: 0, r: 0, t: 0, b: 0 }, uirevision: number,
      scene: {
        aspectmode: "manual", dragmode: "orbit",
        aspectratio: { x: wide / unit, y: deep / unit, z: tall / unit },
        xaxis: { ...hidden, range: x }, yaxis: { ...hidden, range: y },
        zaxis: { ...hidden, range: z },
        // As the camera sees them.
        camera: { eye: { x: 0, y: -1.6, z: 0.15 }, projection: { type: "orthographic" } },
      },
    }, { displayModeBar: false, responsive: true });
    show(0);
  }

  function stop() {
    clearInterval(timer);
    timer = null;
    play.textContent = "play";
  }

  choose.hidden = clips.length < 2;
  choose.addEventListener("change", () => { stop(); open(choose.selectedIndex); });
  slider.addEventListener("input", () => { stop(); show(Number(slider.value)); });
  play.addEventListener("click", () => {
    if (timer !== null) return stop();
    play.textContent = "stop";
    const next = () => show((Number(slider.value) + 1) % clip.times.length);
    timer = setInterval(next, 1000 / clip.fps);
  });
  // Keys move the slider once it has the focus; one frame alone has nothing to scrub.
  open(0);
  for (const part of [play, slider]) part.hidden = clips.every((c) => c.times.length < 2);
}
