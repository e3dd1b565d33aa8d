"use strict";
// A picture at full size; the arrow keys go on to what stands beside it, in the same place, so that eyes see what differs.
const zoom = document.getElementById("zoom"), large = document.getElementById("large");
const shots = [...document.querySelectorAll(".shots button")];
let at = 0, fit = true;
function show(number) {
  at = (number + shots.length) % shots.length;
  const small = shots[at].querySelector("img");
  large.src = small.src;
  large.alt = small.alt;
  large.classList.toggle("fit", fit);
  large.classList.toggle("small", small.classList.contains("small"));
  document.getElementById("scale").textContent = fit ? "1:1" : "Fit";
  document.getElementById("caption").textContent = small.alt + ", " + small.naturalWidth + " × " + small.naturalHeight + " pixels";
}
function rescale() { fit = !fit; show(at); }
shots.forEach((shot, number) => shot.addEventListener("click", () => { fit = true; show(number); zoom.showModal(); }));
document.getElementById("before").addEventListener("click", () => show(at - 1));
document.getElementById("after").addEventListener("click", () => show(at + 1));
document.getElementById("scale").addEventListener("click", rescale);
document.getElementById("close").addEventListener("click", () => zoom.close());
large.addEventListener("click", rescale);
zoom.addEventListener("keydown", (event) => {
  if (event.key === "ArrowLeft") show(at - 1);
  if (event.key === "ArrowRight") show(at + 1);
});
