// Small preferences of this browser. Storage may be forbidden or full: a preference is then just forgotten.
export function recall(name, fallback) {
  try { return localStorage.getItem(`bulkhead.${name}`) ?? fallback; } catch { return fallback; }
}

export function remember(name, value) {
  try { localStorage.setItem(`bulkhead.${name}`, String(value)); } catch { /* see above */ }
}
