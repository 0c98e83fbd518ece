// Lists the documents of pages.js, or says that there are none yet.
const list = document.getElementById("pages");

for (const { title, path, words } of pages) {
  const link = document.createElement("a");
  link.href = path;
  link.textContent = `${title} (${words} words)`;
  const item = document.createElement("li");
  item.append(link);
  list.append(item);
}
if (pages.length === 0) {
  list.textContent = "No session has written anything yet: bash .ci/demo";
}
