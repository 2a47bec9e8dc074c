// Starts the reader of /openapi.json on the /docs page; everything comes from this server.
// Knows nothing about the dashboard.

/** @type {any} */ (window).SwaggerUIBundle({ url: "/openapi.json", dom_id: "#swagger", validatorUrl: null });
