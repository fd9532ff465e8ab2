// A browser sends every field of a form, and an empty parameter is a filter too: send those that were filled in.
for (const form of document.querySelectorAll("form[data-leave-out-empty]")) {
  form.addEventListener("formdata", ({ formData }) => {
    for (const name of [...formData.keys()]) {
      if (formData.getAll(name).every((value) => value === "")) formData.delete(name);
    }
  });
}
