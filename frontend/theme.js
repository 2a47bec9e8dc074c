// Light or dark: the system decides until the switch is used, which is remembered. Knows nothing
// about colours.

const KEY = "livegrad-theme";

/** @param {(appearance: {dark: boolean, reducedMotion: boolean}) => void} changed */
export function createTheme(changed) {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  let chosen = remembered();
  const isDark = () => (chosen === null ? dark.matches : chosen === "dark");
  function apply() {
    if (chosen !== null) document.documentElement.dataset.theme = chosen;
    changed({ dark: isDark(), reducedMotion: still.matches });
  }
  dark.addEventListener("change", apply);
  still.addEventListener("change", apply);
  apply();
  return {
    toggle() {
      chosen = isDark() ? "light" : "dark";
      remember(chosen);
      apply();
    },
  };
}

/** @returns {"light"|"dark"|null} */
function remembered() {
  try {
    const value = localStorage.getItem(KEY);
    return value === "light" || value === "dark" ? value : null;
  } catch {
    return null; // storage is switched off
  }
}

/** @param {string} value */
function remember(value) {
  try {
    localStorage.setItem(KEY, value);
  } catch {
    // Without storage, the choice lasts as long as the page.
  }
}
