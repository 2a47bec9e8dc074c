// Resolves the style sheet's colour tokens to colours that a canvas understands. Knows nothing
// about what the tokens mean.

/** @type {HTMLElement|null} */
let probe = null;
/** @type {Map<string, string>} */
const resolved = new Map();
let isDark = false;

/** Forget the colours of the theme before. @param {boolean} dark */
export function setTheme(dark) {
  if (dark !== isDark) resolved.clear();
  isDark = dark;
}

/** @param {string} expression such as "var(--loss)" */
export function colour(expression) {
  const known = resolved.get(expression);
  if (known !== undefined) return known;
  probe ??= document.body.appendChild(document.createElement("i"));
  probe.hidden = true;
  probe.style.color = expression;
  const found = getComputedStyle(probe).color;
  resolved.set(expression, found);
  return found;
}
