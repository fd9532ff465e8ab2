// Shows the description of the API; what is tried out there is done as the user who is logged in.
const docs = document.getElementById("docs");
SwaggerUIBundle({
  url: docs.dataset.schema,
  domNode: docs,
  deepLinking: true,
  docExpansion: "none",
  defaultModelsExpandDepth: 0,
  requestInterceptor: (request) => {
    request.headers["X-CSRFToken"] = docs.dataset.csrfToken;
    return request;
  },
});
