// The sign-in page: sends the token to the server and goes on to the dashboard. Knows nothing about
// the dashboard. Scripts cannot read the session cookie that comes back.

const form = /** @type {HTMLFormElement} */ (document.getElementById("form"));
const token = /** @type {HTMLInputElement} */ (document.getElementById("token"));
const answer = /** @type {HTMLElement} */ (document.getElementById("answer"));
const button = /** @type {HTMLButtonElement} */ (form.querySelector("button"));

if (location.search === "?used")
  answer.textContent = "That link was used already, or belongs to an earlier start of livegrad.";

/** @returns {Promise<string>} what went wrong; empty when nothing did */
async function signIn() {
  let response;
  try {
    response = await fetch("api/session", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ token: token.value.trim() }),
    });
  } catch {
    return "The server does not answer.";
  }
  if (response.ok) return "";
  if (response.status === 401) return "That is not the token.";
  const problem = await response.json().catch(() => ({}));
  return problem.detail ?? `The server answered ${response.status}.`;
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  button.disabled = true;
  answer.textContent = "";
  const trouble = await signIn();
  button.disabled = false;
  if (trouble === "") location.replace(`./${location.hash}`);
  answer.textContent = trouble;
  token.select();
});
