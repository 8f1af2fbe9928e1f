// "/" goes to the box that finds anything by its id, unless somebody is typing
document.addEventListener("keydown", (event) => {
  const box = document.getElementById("find");
  const isTyping = event.target.closest("input, textarea, select, [contenteditable]");
  if (event.key !== "/" || !box || isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  box.focus();
});
