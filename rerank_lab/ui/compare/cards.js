// The cards of a column. The server has escaped every text in their HTML. A press says which query
// and which document it was for, since the server may show others by the time that it hears of it.

const columns = new WeakMap();

export default function ({ parentElement, data, setTriggerValue }) {
  const list = parentElement.querySelector(".rl-cards");
  let column = columns.get(list);
  if (!column) {
    column = {};
    columns.set(list, column);
    list.addEventListener("click", (event) => pressed(event, column));
  }
  column.send = setTriggerValue;
  column.data = data;
  if (column.html !== data.html) {
    column.html = data.html;
    list.innerHTML = data.html;
  }
}

function pressed(event, column) {
  const button = event.target.closest("button");
  const card = button?.closest(".rl-card");
  if (!card) return;
  const of = { query: column.data.query, rank: Number(card.dataset.rank), doc: card.dataset.doc };
  if (button.dataset.press === "open") column.send("open", of);
  if (button.dataset.press === "grade") {
    const options = column.data.menus[card.dataset.rank];
    showMenu(button, options, (option) => column.send("grade", { ...of, option }));
  }
}

function showMenu(button, options, choose) {
  const menu = document.createElement("div");
  menu.className = "rl-menu";
  menu.popover = "auto"; // closes by Escape and by a press outside
  menu.setAttribute("role", "menu");
  menu.setAttribute("aria-label", button.firstElementChild.textContent);
  for (const [option, words] of options) {
    const item = document.createElement("button");
    item.type = "button";
    item.setAttribute("role", "menuitem");
    item.textContent = words;
    item.onclick = (event) => {
      event.stopPropagation();
      menu.hidePopover();
      choose(option);
    };
    menu.append(item);
  }
  menu.onkeydown = (event) => moveFocus(event, menu);
  const close = () => menu.hidePopover();
  menu.addEventListener("toggle", (event) => {
    if (event.newState === "open") return;
    document.removeEventListener("scroll", close, true);
    button.setAttribute("aria-expanded", "false");
    menu.remove();
    button.focus({ preventScroll: true });
  });
  button.after(menu);
  menu.showPopover();
  place(menu, button.getBoundingClientRect());
  button.setAttribute("aria-expanded", "true");
  menu.firstElementChild.focus({ preventScroll: true });
  document.addEventListener("scroll", close, true);
}

// Below the button, or above it where there is no room below.
function place(menu, at) {
  const { width, height } = menu.getBoundingClientRect();
  const below = at.bottom + height + 8 <= innerHeight;
  menu.style.left = `${Math.max(8, Math.min(at.left, innerWidth - width - 8))}px`;
  menu.style.top = `${below ? at.bottom : Math.max(8, at.top - height)}px`;
}

function moveFocus(event, menu) {
  const items = [...menu.children];
  const now = items.indexOf(document.activeElement);
  const next = {
    ArrowDown: (now + 1) % items.length,
    ArrowUp: (now + items.length - 1) % items.length,
    Home: 0,
    End: items.length - 1,
  }[event.key];
  if (event.key === "Tab") menu.hidePopover();
  if (next === undefined) return;
  event.preventDefault();
  event.stopPropagation();
  items[next].focus();
}
