// On pages that show unfinished work. Whoever is typing is not interrupted.
setInterval(() => {
  if (!document.activeElement.matches("input, select")) location.reload();
}, 2000);
