"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const data = JSON.parse(byId("data").textContent);

  // Theme: the system's unless chosen.
  const theme = byId("theme");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const paint = () => {
    document.documentElement.dataset.theme = theme.value || (dark.matches ? "dark" : "light");
  };
  theme.addEventListener("change", paint);
  dark.addEventListener("change", paint);
  paint();

  // The slider takes its pictures from the contact sheet.
  const [left, right, frame] = ["left", "right", "frame"].map(byId);
  const still = (view) => document.querySelector(
    `#sheet button[data-view="${CSS.escape(view)}"][data-frame="${frame.value}"] img`);
  const fill = (select, names, chosen) => names.forEach((name, i) => {
    const value = select === frame ? String(i) : name;
    select.add(new Option(String(name), value, false, value === chosen));
  });
  fill(left, data.views, data.left);
  fill(right, data.views, data.right);
  fill(frame, data.frames, String(Math.floor((data.frames.length - 1) / 2)));
  const show = () => {
    for (const [id, tag, select] of [["under", "lefttag", left], ["over", "righttag", right]]) {
      const picture = still(select.value);
      byId(id).src = picture.src;
      byId(id).alt = picture.alt;
      byId(tag).textContent = select.value;
    }
  };
  [left, right, frame].forEach((select) => select.addEventListener("change", show));
  show();

  const split = byId("split");
  const stage = byId("stage");
  const place = (percent) => {
    split.value = Math.min(100, Math.max(0, percent));
    byId("over").style.clipPath = `inset(0 0 0 ${split.value}%)`;
    byId("divider").style.left = `${split.value}%`;
  };
  split.addEventListener("input", () => place(split.value));
  const follow = (event) => {
    const box = stage.getBoundingClientRect();
    place(100 * (event.clientX - box.left) / box.width);
  };
  stage.addEventListener("pointerdown", (event) => {
    stage.setPointerCapture(event.pointerId);
    follow(event);
  });
  stage.addEventListener("pointermove", (event) => { if (event.buttons) follow(event); });

  document.querySelectorAll("#sheet button").forEach((button) =>
    button.addEventListener("click", () => {
      right.value = button.dataset.view;
      frame.value = button.dataset.frame;
      if (left.value === right.value) left.value = data.views.find((v) => v !== right.value);
      show();
      byId("side").scrollIntoView({ behavior: "smooth" });
    }));

  // Films: the first keeps the time, the others are brought to it.
  const films = [...document.querySelectorAll("video")];
  if (!films.length) {
    byId("films").hidden = true;
    return;
  }
  const [play, seek, speed] = ["play", "seek", "speed"].map(byId);
  const clock = films[0];
  const APART = 0.06;
  const align = () => films.slice(1).forEach((film) => {
    if (Math.abs(film.currentTime - clock.currentTime) > APART) film.currentTime = clock.currentTime;
  });
  const tick = () => {
    if (clock.duration) seek.value = 1000 * clock.currentTime / clock.duration;
    align();
    if (!clock.paused) requestAnimationFrame(tick);
  };
  play.addEventListener("click", () => {
    if (clock.paused) {
      Promise.all(films.map((film) => film.play())).then(tick).catch(() => { play.textContent = "Play"; });
      play.textContent = "Pause";
    } else {
      films.forEach((film) => film.pause());
      align();
      play.textContent = "Play";
    }
  });
  seek.addEventListener("input", () => films.forEach((film) => {
    film.currentTime = seek.value / 1000 * (clock.duration || 0);
  }));
  speed.addEventListener("change", () => films.forEach((film) => { film.playbackRate = +speed.value; }));
})();
