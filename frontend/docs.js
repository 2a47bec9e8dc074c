// Starts the viewer of openapi.json on the docs page. Everything comes from this server. Knows
// nothing about the dashboard.

async function start() {
  const description = await (await fetch("openapi.json")).json();
  // The address of this page: a proxy may serve it below a prefix.
  const server = new URL(".", location.href).href.replace(/\/$/, "");
  const spec = { ...description, servers: [{ url: server }] };
  /** @type {any} */ (window).SwaggerUIBundle({ spec, dom_id: "#swagger", validatorUrl: null });
}

void start();
