// Runs before the first paint: the theme, and the layout of /?overlay.
(function () {
  var root = document.documentElement;
  var saved = null;
  try { saved = localStorage.getItem("face_expr theme"); } catch (error) { /* storage is disabled */ }
  var light = saved ? saved === "light" : matchMedia("(prefers-color-scheme: light)").matches;
  root.dataset.theme = light ? "light" : "dark";
  if (new URLSearchParams(location.search).has("overlay")) root.classList.add("overlay");
})();
