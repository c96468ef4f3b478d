// xterm.js creates <style> elements; under our Content-Security-Policy each needs the page's nonce.
export function giveStylesTheNonce() {
  const nonce = document.querySelector('meta[name="csp-nonce"]')?.content;
  const create = document.createElement.bind(document);
  document.createElement = (name, options) => {
    const element = create(name, options);
    if (nonce && String(name).toLowerCase() === "style") element.nonce = nonce;
    return element;
  };
}
