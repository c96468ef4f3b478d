// Two things that xterm.js does and that our Content-Security-Policy forbids, done in the ways that it allows.
export function fitThePolicy() {
  const nonce = document.querySelector('meta[name="csp-nonce"]')?.content;
  const create = document.createElement.bind(document);
  // It creates <style> elements: each needs the page's nonce.
  document.createElement = (name, options) => {
    const element = create(name, options);
    if (nonce && String(name).toLowerCase() === "style") element.nonce = nonce;
    return element;
  };
  // It gives computed colours to its spans by setAttribute("style"); the CSSOM may do the same.
  HTMLSpanElement.prototype.setAttribute = function setAttribute(name, value) {
    if (name === "style") this.style.cssText = value;
    else Element.prototype.setAttribute.call(this, name, value);
  };
}
