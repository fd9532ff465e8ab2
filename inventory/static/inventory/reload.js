// On pages that show unfinished work. Whoever is typing is not interrupted, and what was refused is left to be read.
setInterval(() => {
  if (!document.activeElement.matches("input, select") && !document.querySelector(".messagelist .error")) location.reload();
}, 2000);
